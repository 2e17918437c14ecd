"""A lot is taken on by a channel step by step, by its own operator alone."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from parkflow.channel import service as channels
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.operator import service as operators
from parkflow.operator.service import NewOperator
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock


@pytest.fixture
async def client(pool: Pool, clock: HeldClock) -> AsyncIterator[httpx.AsyncClient]:
    """The API with one channel named sim."""
    services = services_over(pool, clock)
    account = channels.NewAccount("sim", "http://127.0.0.1:9", b"s" * 32, "America/New_York")
    async with tx(pool) as conn:
        await channels.register(conn, services.vault, account, now=clock.now())
    known = await channels.load_channels(pool, services.vault, clock=clock, timeout_seconds=1)
    async with client_of(replace(services, channels=known)) as opened:
        yield opened
    await known.aclose()


async def _operator(pool: Pool, clock: HeldClock, name: str) -> dict[str, str]:
    services = services_over(pool, clock)
    async with tx(pool) as conn:
        new = NewOperator(name, "America/New_York", "USD", 2000)
        created = await operators.create(conn, services.vault, new, now=clock.now())
    return {"Authorization": f"Bearer {created.admin_token}"}


async def _post(client: httpx.AsyncClient, path: str, who: dict[str, str], **body: Any) -> httpx.Response:
    return await client.post(f"/v1/operator/lots{path}", headers=who, json=body)


async def test_a_lot_goes_live_in_the_order_of_the_machine(
    client: httpx.AsyncClient, pool: Pool, clock: HeldClock
) -> None:
    who = await _operator(pool, clock, "Downtown")
    lot = (await _post(client, "", who, reference="a", name="A")).json()["lot_id"]
    for _ in range(2):
        applied = await _post(client, f"/{lot}/channels", who, channel="sim")
        assert (applied.status_code, applied.json()) == (201, {"channel": "sim", "state": "applied"})
    too_early = await _post(client, f"/{lot}/channels/sim/events", who, event="go_live")
    assert (too_early.status_code, too_early.json()["code"]) == (409, "illegal_transition")
    states = [
        (await _post(client, f"/{lot}/channels/sim/events", who, event=event)).json()["state"]
        for event in ("accept", "start_test", "go_live")
    ]
    assert states == ["accepted", "testing", "live"]


async def test_another_operators_lot_and_an_unknown_channel_are_refused(
    client: httpx.AsyncClient, pool: Pool, clock: HeldClock
) -> None:
    who, other = await _operator(pool, clock, "Downtown"), await _operator(pool, clock, "Uptown")
    lot = (await _post(client, "", who, reference="a", name="A")).json()["lot_id"]
    assert (await _post(client, f"/{lot}/channels", other, channel="sim")).status_code == 404
    unknown = await _post(client, f"/{lot}/channels", who, channel="moon")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "channel_unknown")
    await _post(client, f"/{lot}/channels", who, channel="sim")
    assert (await _post(client, f"/{lot}/channels/sim/events", other, event="accept")).status_code == 404
