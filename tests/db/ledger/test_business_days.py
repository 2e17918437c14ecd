"""Posting and closing: a transfer lands once, on the open day, and never behind the cut."""

import asyncio
from datetime import date, timedelta

import pytest

from parkflow import core
from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import tx
from parkflow.kit.machine import IllegalTransition
from parkflow.ledger import service as ledger
from parkflow.ledger.service import Posting
from parkflow.ledger.state import DayState
from parkflow.operator import service as operators
from parkflow.operator.service import NewOperator
from parkflow.vault import Vault
from tests.held_clock import HeldClock

FRIDAY = date(2017, 10, 20)
DAY = timedelta(days=1)


@pytest.fixture
async def operator_id(pool: Pool, clock: HeldClock) -> int:
    async with tx(pool) as conn:
        made = await operators.create(
            conn, Vault(bytes(32)), NewOperator("City", "America/New_York", "USD", 2000), now=clock.now()
        )
        await ledger.ensure_open_day(conn, made.operator_id, clock.now())
        return made.operator_id


def _posting(operator_id: int, number: int, clock: HeldClock, amount_minor: int = 100) -> Posting:
    transfer = core.charge_raised(card_id=7, operator_id=operator_id, charge_id=number, amount_minor=amount_minor)
    return Posting(0, operator_id, "USD", transfer, clock.now())


async def _days(conn: Conn) -> list[date]:
    return [
        row["business_day"] for row in await conn.fetch("select business_day from ledger_transfer order by reference")
    ]


async def test_the_first_day_is_that_of_the_calendar_and_is_opened_once(
    conn: Conn, operator_id: int, clock: HeldClock
) -> None:
    assert await ledger.ensure_open_day(conn, operator_id, clock.now() + 5 * DAY) == FRIDAY
    assert await ledger.read_open_day(conn, operator_id) == FRIDAY


async def test_the_same_fact_is_posted_once(conn: Conn, operator_id: int, clock: HeldClock) -> None:
    postings = [_posting(operator_id, number, clock) for number in (1, 2)]
    assert await ledger.post(conn, postings, now=clock.now()) == 2
    assert await ledger.post(conn, [*postings, _posting(operator_id, 3, clock)], now=clock.now()) == 1


async def test_a_closed_day_opens_the_next_and_cannot_be_closed_again(
    conn: Conn, operator_id: int, clock: HeldClock
) -> None:
    closing = await ledger.begin_close(conn, operator_id, FRIDAY, clock.now())
    closed = await ledger.finish_close(conn, closing, totals={"paid": 1}, sha256=bytes(32), now=clock.now())
    assert closed.state is DayState.CLOSED
    again = await ledger.begin_close(conn, operator_id, FRIDAY, clock.now())
    assert (again.state, again.totals, again.sha256) == (DayState.CLOSED, {"paid": 1}, bytes(32))
    with pytest.raises(IllegalTransition):
        await ledger.finish_close(conn, again, totals={}, sha256=bytes(32), now=clock.now())
    assert await ledger.open_day(conn, operator_id) == FRIDAY + DAY


async def test_two_days_may_be_closed_at_one_instant(conn: Conn, operator_id: int, clock: HeldClock) -> None:
    for day in (FRIDAY, FRIDAY + DAY):
        closing = await ledger.begin_close(conn, operator_id, day, clock.now())
        await ledger.finish_close(conn, closing, totals={}, sha256=bytes(32), now=clock.now())
    assert await ledger.open_day(conn, operator_id) == FRIDAY + 2 * DAY


async def test_a_posting_in_flight_never_lands_behind_the_cut(pool: Pool, operator_id: int, clock: HeldClock) -> None:
    posted, counted = asyncio.Event(), []

    async def close() -> None:
        await posted.wait()
        async with tx(pool) as conn:
            closing = await ledger.begin_close(conn, operator_id, FRIDAY, clock.now())
            counted.append(await conn.fetchval("select count(*) from ledger_transfer where business_day = $1", FRIDAY))
            await ledger.finish_close(conn, closing, totals={}, sha256=bytes(32), now=clock.now())

    async def post_late() -> None:
        await posted.wait()
        while not counted:
            async with tx(pool) as conn:
                # It waits for the close where that has begun, and then finds the next day.
                await ledger.post(conn, [_posting(operator_id, 2, clock)], now=clock.now())
                return

    closer, late = asyncio.create_task(close()), None
    async with tx(pool) as conn:
        await ledger.post(conn, [_posting(operator_id, 1, clock)], now=clock.now())
        posted.set()
        late = asyncio.create_task(post_late())
        await asyncio.sleep(0.1)
        assert counted == []
    await asyncio.gather(closer, late)
    async with pool.acquire() as conn:
        days = await _days(conn)
    assert days[0] == FRIDAY
    assert days.count(FRIDAY) == counted[0]


async def test_an_operator_without_a_day_cannot_be_posted_to(conn: Conn, operator_id: int, clock: HeldClock) -> None:
    with pytest.raises(ledger.NoOpenDay):
        await ledger.post(conn, [_posting(operator_id + 1, 1, clock)], now=clock.now())
