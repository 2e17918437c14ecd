"""Agreements with a channel that answers over HTTP: begun, confirmed late or never, and ended once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from gate_sim.channel.book import Book
from gate_sim.channel.clock import SetTime
from gate_sim.channel.desk import Desk
from gate_sim.channel.server import serving
from parkflow.agreement import service as agreements
from parkflow.agreement.service import Agreement, AgreementState
from parkflow.channel.port import ChannelUnavailable, ChannelUnknown
from parkflow.channel.service import load_channels
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of
from parkflow.services import Services
from tests import seed
from tests.edge import services_over
from tests.held_clock import HeldClock


@dataclass
class Bench:
    """A driver, the service and a channel."""

    services: Services
    clock: HeldClock
    account_id: int
    channel: httpx.AsyncClient

    async def open(self) -> Agreement:
        return await agreements.open_agreement(
            self.services, account_id=self.account_id, channel=seed.CHANNEL, now=self.clock.now()
        )

    async def refresh(self, agreement: Agreement) -> Agreement:
        return await agreements.refresh(
            self.services, account_id=self.account_id, agreement_id=agreement.agreement_id, now=self.clock.now()
        )

    async def confirm(self, agreement: Agreement) -> None:
        await self.channel.post("/v1/wallets", json={"wallet": "w1", "funds_minor": 0})
        answer = await self.channel.post(agreement.sign_url, json={"wallet": "w1"})
        assert answer.status_code == 200, answer.text

    async def end(self, agreement: Agreement) -> bool:
        bucket = bucket_of(agreement.agreement_id)
        return await agreements.end(
            self.services, bucket=bucket, agreement_id=agreement.agreement_id, now=self.clock.now()
        )


@pytest.fixture
async def bench(pool: Pool, clock: HeldClock, tmp_path: Path) -> AsyncIterator[Bench]:
    services = services_over(pool, clock)
    book = Book(tmp_path / "book.sqlite")
    desk = Desk(book, SetTime(int(clock.now().timestamp()) * 1000), seed=1, secret=bytes(32))
    async with serving(desk) as port:
        base_url = f"http://127.0.0.1:{port}"
        async with tx(pool) as conn:
            await seed.channel(conn, services.vault, base_url=base_url)
            account_id = await seed.account(conn, services.vault)
        channels = await load_channels(pool, services.vault, clock=clock, timeout_seconds=5)
        async with httpx.AsyncClient(base_url=base_url) as client:
            yield Bench(replace(services, channels=channels), clock, account_id, client)
        await channels.aclose()
    book.close()


async def test_an_agreement_is_active_once_the_driver_confirmed_at_the_channel(bench: Bench) -> None:
    opened = await bench.open()
    assert opened.state is AgreementState.PENDING
    assert opened.sign_url
    assert (await bench.refresh(opened)).state is AgreementState.PENDING
    await bench.confirm(opened)
    confirmed = await bench.refresh(opened)
    assert confirmed.state is AgreementState.ACTIVE
    assert confirmed.channel_ref
    async with bench.services.pool.acquire() as conn:
        payer = (await agreements.payers(conn, [opened.agreement_id]))[opened.agreement_id]
    assert payer == (seed.CHANNEL, confirmed.channel_ref, AgreementState.ACTIVE)


async def test_an_agreement_that_was_begun_is_taken_up_again(bench: Bench) -> None:
    assert (await bench.open()).agreement_id == (await bench.open()).agreement_id


async def test_an_agreement_is_kept_when_the_channel_was_out_of_reach(bench: Bench) -> None:
    async with tx(bench.services.pool) as conn:
        await seed.channel(conn, bench.services.vault)
    nobody = await load_channels(bench.services.pool, bench.services.vault, clock=bench.clock, timeout_seconds=1)
    services, bench.services = bench.services, replace(bench.services, channels=nobody)
    with pytest.raises(ChannelUnavailable):
        await bench.open()
    bench.services = services
    opened = await bench.open()
    assert opened.sign_url
    async with bench.services.pool.acquire() as conn:
        assert len(await agreements.of_account(conn, bench.account_id)) == 1
    await nobody.aclose()


async def test_an_unconfirmed_agreement_expires_after_an_hour(bench: Bench) -> None:
    opened = await bench.open()
    bench.clock.advance(minutes=59, seconds=59)
    assert (await bench.refresh(opened)).state is AgreementState.PENDING
    bench.clock.advance(seconds=1)
    assert (await bench.refresh(opened)).state is AgreementState.EXPIRED
    assert (await bench.open()).agreement_id != opened.agreement_id


async def test_a_late_confirmation_counts(bench: Bench) -> None:
    opened = await bench.open()
    await bench.confirm(opened)
    bench.clock.advance(days=1)
    assert (await bench.refresh(opened)).state is AgreementState.ACTIVE


async def test_an_agreement_is_ended_at_the_channel_and_here(bench: Bench) -> None:
    opened = await bench.open()
    await bench.confirm(opened)
    await bench.refresh(opened)
    assert await bench.end(opened)
    assert await bench.end(opened)
    assert (await bench.refresh(opened)).state is AgreementState.ENDED
    theirs = await bench.services.channels[seed.CHANNEL].query_agreement(opened.external_no)
    assert theirs.state == "ended"


async def test_an_unknown_channel_and_someone_elses_agreement_are_refused(bench: Bench) -> None:
    with pytest.raises(ChannelUnknown):
        await agreements.open_agreement(
            bench.services, account_id=bench.account_id, channel="other", now=bench.clock.now()
        )
    opened = await bench.open()
    bench.account_id += 1
    with pytest.raises(NotFound):
        await bench.refresh(opened)
