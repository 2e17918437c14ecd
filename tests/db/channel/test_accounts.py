"""Channel accounts and lots: secrets are sealed, money is taken only where a lot is in testing or live."""

from datetime import timedelta

import pytest

from parkflow.channel import onboarding
from parkflow.channel.service import ChannelRefused, NewAccount, load_channels, register
from parkflow.channel.state import LotChannelEvent
from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import tx
from parkflow.kit.clock import SystemClock
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import new_id
from parkflow.kit.machine import IllegalTransition
from parkflow.lot import service as lots
from parkflow.operator import service as operators
from parkflow.operator.service import NewOperator
from parkflow.vault import Vault
from tests.held_clock import HeldClock

ACCOUNT = NewAccount("sim", "http://127.0.0.1:9000", b"a secret", "America/New_York")


async def test_a_secret_is_sealed_and_opens_again(pool: Pool, clock: HeldClock) -> None:
    vault = Vault(bytes(32))
    async with tx(pool) as conn:
        for _ in range(2):
            await register(conn, vault, ACCOUNT, now=clock.now())
        assert b"a secret" not in await conn.fetchval("select secret_sealed from channel_account")
    channels = await load_channels(pool, vault, clock=SystemClock(), timeout_seconds=1)
    assert list(channels) == ["sim"]
    assert channels.get("other") is None
    await channels.aclose()


@pytest.mark.parametrize(
    "account",
    [
        NewAccount("sim", "ftp://127.0.0.1", b"s", "UTC"),
        NewAccount("sim", "http://127.0.0.1/path", b"s", "UTC"),
        NewAccount("sim", "http://127.0.0.1", b"s", "Mars/Base"),
        NewAccount("Sim Pay", "http://127.0.0.1", b"s", "UTC"),
    ],
)
async def test_an_account_that_cannot_work_is_refused(conn: Conn, account: NewAccount, clock: HeldClock) -> None:
    with pytest.raises(ChannelRefused):
        await register(conn, Vault(bytes(32)), account, now=clock.now())


async def test_money_is_taken_only_for_lots_in_testing_or_live(conn: Conn, clock: HeldClock) -> None:
    vault = Vault(bytes(32))
    await register(conn, vault, ACCOUNT, now=clock.now())
    made = await operators.create(conn, vault, NewOperator("City", "America/New_York", "USD", 0), now=clock.now())
    new = lots.NewLot("A", "Lot A", "America/New_York")
    lot = await lots.create_lot(conn, operator_id=made.operator_id, new=new, now=clock.now())
    pair = [(lot.lot_id, "sim")]
    with pytest.raises(NotFound):
        await onboarding.read(conn, lot_id=lot.lot_id, channel="sim")
    for _ in range(2):
        await onboarding.apply(conn, lot_id=lot.lot_id, channel="sim", now=clock.now())
    seen = []
    events = ("accept", "start_test", "go_live", "suspend", "resume", "suspend", "close")
    for place, event in enumerate(events):
        now = clock.now() + timedelta(seconds=place)
        await onboarding.move(conn, lot_id=lot.lot_id, channel="sim", event=LotChannelEvent(event), now=now)
        seen.append(await onboarding.deducting(conn, pair) == set(pair))
    assert seen == [False, True, True, False, True, False, False]
    with pytest.raises(IllegalTransition):
        await onboarding.move(conn, lot_id=lot.lot_id, channel="sim", event=LotChannelEvent.RESUME, now=clock.now())
    assert await onboarding.deducting(conn, [(new_id(3), "sim")]) == set()
