"""The cut-off: one row and the same bytes however often and however many close a day, and nothing behind the cut."""

import asyncio
import hashlib
import json
from datetime import date, timedelta

import pytest

from parkflow.cutoff import service as cutoff
from parkflow.cutoff.service import ClosedDay, DayNotOver
from parkflow.db.tx import tx
from parkflow.invariants import checks
from parkflow.kit.errors import NotFound
from parkflow.ledger import service as ledger
from tests.day_world import World
from tests.db.days.test_arrears import owing

DAY = date(2017, 10, 20)


async def close(world: World, day: date = DAY) -> ClosedDay:
    return await cutoff.close_day(world.services, operator_id=world.operator_id, day=day, now=world.now)


async def busy_day(world: World) -> None:
    """One driver who paid, one who could not."""
    rich, poor = await world.driver("rich", 5_000), await world.driver("poor", 0)
    await world.park(rich.card_id, 900)
    await world.park(rich.card_id, 250)
    await world.park(poor.card_id, 700)
    await world.settle()
    world.advance(days=1)


async def test_a_day_can_be_closed_only_after_it_has_ended(world: World) -> None:
    with pytest.raises(DayNotOver):
        await close(world)
    with pytest.raises(NotFound):
        await close(world, DAY + timedelta(days=1))


async def test_the_totals_are_those_of_the_days_postings(world: World) -> None:
    await busy_day(world)
    totals = json.loads((await close(world)).statement)
    assert {total["code"]: (total["transfers"], total["sum_minor"]) for total in totals["ledger"]} == {
        "charge_raised": (3, 1_850),
        "charge_paid": (2, 1_150),
        "deposit_paid": (2, 4_000),
    }
    (lot,) = totals["lots"]
    assert (lot["charges"], lot["charged_minor"], lot["paid"], lot["paid_minor"]) == (3, 1_850, 2, 1_150)
    assert (lot["arrears"], lot["arrears_minor"]) == (1, 700)
    assert totals["transfers"] == 7


async def test_closing_again_gives_the_stored_bytes_whatever_came_after(world: World) -> None:
    await busy_day(world)
    first = await close(world)
    assert hashlib.sha256(first.statement).digest() == first.sha256
    late = await world.driver("late", 5_000)
    await world.park(late.card_id, 900)
    await world.settle()
    world.advance(hours=5)
    assert await close(world) == first
    opened = await world.value("select day from business_day where state = 'open'")
    assert opened == DAY + timedelta(days=1)


async def test_ten_at_once_close_one_day_with_one_hash(world: World) -> None:
    await busy_day(world)
    closed = await asyncio.gather(*(close(world) for _ in range(10)))
    assert len({(one.statement, one.sha256) for one in closed}) == 1
    assert await world.value("select count(*) from business_day where state = 'closed'") == 1
    assert await world.value("select count(*) from business_day where state = 'open'") == 1
    assert await world.value("select count(*) from arrears") == 1
    assert await world.value("select count(*) from notice where kind = 'arrears'") == 1


async def test_the_close_waits_for_a_posting_in_flight_and_counts_it(world: World) -> None:
    driver = await world.driver("w", 5_000)
    world.advance(days=1)
    in_flight, go_on = asyncio.Event(), asyncio.Event()

    async def posting() -> None:
        async with tx(world.pool) as conn:
            await ledger.hold_open_days(conn, [world.operator_id])
            in_flight.set()
            await go_on.wait()

    slow = asyncio.create_task(posting())
    await in_flight.wait()
    closing = asyncio.create_task(close(world))
    done, _ = await asyncio.wait([closing], timeout=0.3)
    assert not done, "the close must wait for whoever holds the day"
    go_on.set()
    await slow
    await closing
    stay_id = await world.park(driver.card_id, 900)
    day = await world.value("select business_day from ledger_transfer where reference = $1", str(stay_id))
    assert day == DAY + timedelta(days=1)


async def test_postings_race_with_the_close_and_each_is_in_exactly_one_day(world: World) -> None:
    drivers = [await world.driver(f"w{number}", 5_000) for number in range(6)]
    world.advance(days=1)
    await asyncio.gather(*(world.park(driver.card_id, 100) for driver in drivers), close(world), close(world))
    totals = json.loads((await close(world)).statement)
    behind = await world.value("select count(*) from ledger_transfer where business_day = $1", DAY)
    assert totals["transfers"] == behind
    assert await world.value("select count(*) from ledger_transfer") == 12


async def test_missed_days_are_closed_one_after_the_other(world: World) -> None:
    await owing(world, "poor", 900)
    world.advance(days=3)
    closed = []
    while True:
        async with world.pool.acquire() as conn:
            days = await cutoff.due(conn, now=world.now)
        if not days:
            break
        closed += [(await close(world, due.day)).day for due in days]
    assert closed == [DAY + timedelta(days=number) for number in (1, 2, 3)]


async def test_a_closed_day_that_was_touched_is_found(world: World) -> None:
    await busy_day(world)
    await close(world)

    async def broken() -> set[str]:
        return {found.rule for found in await checks.run(world.pool, now=world.now) if found.violations}

    assert await broken() == set()
    async with tx(world.pool) as conn:
        await conn.execute("update ledger_transfer set amount_minor = amount_minor + 1 where code = 'charge_raised'")
    assert "a closed day counts up to the same bytes" in await broken()
    async with tx(world.pool) as conn:
        await conn.execute("update ledger_transfer set amount_minor = amount_minor - 1 where code = 'charge_raised'")
