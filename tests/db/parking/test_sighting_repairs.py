"""What a plate or a person says late corrects the stay: nobody pays a maximum beside the true fee."""

from datetime import timedelta

import pytest

from parkflow.db.tx import tx
from parkflow.gate.sightings import assign, of_operator
from parkflow.parking import service as parking_service
from tests import seed
from tests.db.parking.conftest import Lot
from tests.db.parking.seen import charges, driver_with_plate, later, outcomes, sees, work

pytestmark = pytest.mark.usefixtures("check_invariants")
MAXIMUM = {"missing_entry": "maximum", "missing_exit": "maximum", "missing_minutes": 600}


async def set_policy(lot: Lot, **rules: object) -> None:
    async with tx(lot.pool) as conn:
        await conn.execute("update lot set policy = policy || $1::jsonb", rules)


async def wait_over(lot: Lot) -> None:
    """The lot waits no longer for what is missing; sightings are looked at only after that."""
    minute = (lot.clock.now() - lot.start) // timedelta(minutes=1) + 49 * 60
    await lot.beat(lot.entry, lot.exit, minute=minute)
    async with tx(lot.pool) as conn:
        await parking_service.give_up(conn, owner=seed.OWNER, buckets=lot.buckets, now=lot.clock.now())


async def in_use(lot: Lot) -> list[tuple[object, ...]]:
    return [stay for stay in await lot.stays() if stay[0] != "void"]


async def test_an_entry_that_is_found_late_takes_the_place_of_the_maximum(lot: Lot) -> None:
    await set_policy(lot, **MAXIMUM)
    one, _ = await driver_with_plate(lot), await driver_with_plate(lot)
    await sees(lot, lot.entry, 0)
    await later(lot, 5)
    await lot.upload(lot.goes_out(one, 60), minute=61)
    await work(lot)
    await wait_over(lot)
    assert await lot.stays() == [("closed", -540, 60, None)]
    await work(lot)
    assert await outcomes(lot) == [("matched", "entry_by_plate", one.card_id)]
    assert await in_use(lot) == [("priced", 0, 60, 180)]
    assert await charges(lot) == [(one.card_id, 180)]


async def test_an_exit_that_a_person_assigns_late_takes_the_place_of_the_maximum(lot: Lot) -> None:
    await set_policy(lot, **MAXIMUM)
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await sees(lot, lot.exit, 60, None, medium="lift", by="wang.li")
    await work(lot)
    await wait_over(lot)
    await lot.apply()
    assert await lot.stays() == [("priced", 0, 600, 1_440)]
    async with tx(lot.pool) as conn:
        ident = await conn.fetchval("select sighting_id from sighting")
        lift = await of_operator(conn, operator_id=lot.operator_id, sighting_id=ident)
        await assign(conn, lift, card_id=driver.card_id, reason="assigned", by="desk", now=lot.clock.now())
    await work(lot)
    assert await in_use(lot) == [("priced", 0, 60, 180)]
    assert await charges(lot) == [(driver.card_id, 180)]


async def test_a_stay_says_that_its_ends_were_seen_by_different_means(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await sees(lot, lot.exit, 60)
    await work(lot)
    async with lot.pool.acquire() as conn:
        assert await conn.fetchval("select marks from stay") == ["cross_medium"]


async def test_a_code_shown_after_the_plate_had_left_adds_nothing_to_the_stay(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await sees(lot, lot.exit, 60)
    await work(lot)
    await lot.upload(lot.goes_out(driver, 120), minute=121)
    await work(lot)
    await wait_over(lot)
    await work(lot)
    assert await in_use(lot) == [("priced", 0, 60, 180)]
    assert ("rejected", "missing_entry") in await lot.scans()
    assert await charges(lot) == [(driver.card_id, 180)]
