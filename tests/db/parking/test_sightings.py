"""A passage without a code finds its card: once, whatever came first, and never another driver's."""

import asyncio

import pytest

from parkflow.card import service as card_service
from parkflow.card.service import FreezeReason
from parkflow.db.tx import in_tx
from parkflow.kit.ids import bucket_of
from parkflow.parking import sightings as parking_sightings
from tests import seed
from tests.db.parking import seen
from tests.db.parking.conftest import Lot
from tests.db.parking.seen import PLATE, charges, driver_with_plate, keep, later, match, outcomes, sees, sighting, work

pytestmark = pytest.mark.usefixtures("check_invariants")


async def test_in_by_code_and_out_by_plate_is_one_charged_stay(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await sees(lot, lot.exit, 60, "粤b 12345")
    await work(lot)
    assert await outcomes(lot) == [("matched", "exit_by_plate", driver.card_id)]
    assert await lot.stays() == [("priced", 0, 60, 180)]
    assert await charges(lot) == [(driver.card_id, 180)]
    async with lot.pool.acquire() as conn:
        row = await conn.fetchrow("select medium, serial, state from scan where direction = 'exit'")
    assert row is not None
    assert tuple(row.values()) == ("plate", None, "applied")


async def test_in_by_plate_and_out_by_code_is_one_charged_stay(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    await sees(lot, lot.entry, 0)
    await work(lot)
    assert await lot.stays() == [("open", 0, None, None)]
    await lot.upload(lot.goes_out(driver, 60), minute=61)
    await work(lot)
    assert await outcomes(lot) == [("matched", "entry_by_plate", driver.card_id)]
    assert await charges(lot) == [(driver.card_id, 180)]


async def test_in_and_out_by_plate_is_one_charged_stay(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    await sees(lot, lot.entry, 0)
    await sees(lot, lot.exit, 60)
    await work(lot)
    await later(lot)
    assert await charges(lot) == [(driver.card_id, 180)]


async def test_an_exit_by_plate_waits_for_the_entrys_upload(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    entry = lot.goes_in(driver, 0)
    await sees(lot, lot.exit, 60)
    await work(lot)
    assert await outcomes(lot) == [("held", "awaiting_entry", None)]
    await lot.upload(entry, minute=70)
    await later(lot)
    assert await charges(lot) == [(driver.card_id, 180)]


async def test_the_same_upload_again_changes_nothing(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    once = await sees(lot, lot.exit, 60)
    await keep(lot, once)
    await work(lot)
    await keep(lot, once)
    await work(lot)
    await later(lot)
    assert await outcomes(lot) == [("matched", "exit_by_plate", driver.card_id)]
    assert len(await lot.scans()) == 2
    assert await charges(lot) == [(driver.card_id, 180)]


@pytest.mark.parametrize("camera_first", [False, True])
@pytest.mark.parametrize("seconds", [-30, 30])
async def test_a_car_seen_by_camera_and_by_code_passed_once(lot: Lot, camera_first: bool, seconds: int) -> None:
    driver = await driver_with_plate(lot)
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await work(lot)
    lot.clock.move_to(lot.at(61))
    camera = sighting(lot.exit, lot.at(60) + seconds * (lot.at(1) - lot.at(0)) / 60)
    by_code = lot.goes_out(driver, 60)
    if camera_first:
        await keep(lot, camera)
        await lot.upload(by_code, minute=61)
    else:
        await lot.upload(by_code, minute=61)
        await work(lot)
        await keep(lot, camera)
    await work(lot)
    assert [state for state, *_ in await lot.stays()] == ["priced"]
    assert await outcomes(lot) == [("matched", "seen_twice", driver.card_id)]
    assert len(await charges(lot)) == 1


async def test_a_code_after_the_camera_of_an_entry_is_no_second_entry(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    await sees(lot, lot.entry, 0)
    await work(lot)
    await lot.upload(lot.goes_in(driver, 1), minute=2)
    await work(lot)
    await lot.upload(lot.goes_out(driver, 61), minute=62)
    await work(lot)
    await later(lot)
    assert len(await charges(lot)) == 1
    assert ("rejected", "repeated") in await lot.scans()


async def test_of_two_drivers_with_one_plate_the_one_inside_leaves(lot: Lot) -> None:
    inside, outside = await driver_with_plate(lot), await driver_with_plate(lot)
    await lot.upload(lot.goes_in(inside, 0), minute=1)
    await sees(lot, lot.exit, 60)
    await work(lot)
    assert await outcomes(lot) == [("held", "awaiting_uploads", None)]
    await later(lot)
    assert await outcomes(lot) == [("matched", "exit_by_plate", inside.card_id)]
    assert await charges(lot) == [(inside.card_id, 180)]
    assert outside.card_id not in [card for card, _ in await charges(lot)]


async def test_an_entry_by_a_plate_of_two_drivers_is_that_of_who_leaves_without_having_come(lot: Lot) -> None:
    one, other = await driver_with_plate(lot), await driver_with_plate(lot)
    await sees(lot, lot.entry, 0)
    await later(lot, 5)
    assert await outcomes(lot) == [("held", "ambiguous_plate", None)]
    await lot.upload(lot.goes_out(other, 60), minute=61)
    await work(lot)
    assert await lot.scans() == [("held", "awaiting_entry")]
    await later(lot)
    assert await outcomes(lot) == [("matched", "entry_by_plate", other.card_id)]
    assert await lot.stays() == [("priced", 0, 60, 180)]
    assert await charges(lot) == [(other.card_id, 180)]
    assert one.card_id != other.card_id


async def test_when_both_drivers_are_inside_a_person_decides(lot: Lot) -> None:
    drivers = [await driver_with_plate(lot), await driver_with_plate(lot)]
    await lot.upload(*[lot.goes_in(driver, 0) for driver in drivers], minute=1)
    await sees(lot, lot.exit, 60)
    await later(lot)
    await later(lot, 3_000)
    assert await outcomes(lot) == [("held", "ambiguous_plate", None)]
    assert [state for state, *_ in await lot.stays()] == ["open", "open"]
    assert await charges(lot) == []


async def test_when_one_of_both_leaves_by_code_it_was_the_other(lot: Lot) -> None:
    first, second = await driver_with_plate(lot), await driver_with_plate(lot)
    await lot.upload(lot.goes_in(first, 0), lot.goes_in(second, 2), minute=3)
    await sees(lot, lot.exit, 60)
    await later(lot)
    await lot.upload(lot.goes_out(first, 90), minute=91)
    await work(lot)
    await later(lot)
    assert await outcomes(lot) == [("matched", "exit_by_plate", second.card_id)]
    assert sorted(card for card, _ in await charges(lot)) == sorted([first.card_id, second.card_id])


async def test_a_frozen_card_inside_is_charged_for_leaving_and_begins_no_stay(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    lot.clock.move_to(lot.at(30))
    await freeze(lot, driver.card_id)
    await sees(lot, lot.exit, 60)
    await sees(lot, lot.entry, 90)
    await work(lot)
    assert await outcomes(lot) == [
        ("matched", "exit_by_plate", driver.card_id),
        ("held", "card_not_active", None),
    ]
    assert await charges(lot) == [(driver.card_id, 180)]


async def test_what_counts_is_the_card_as_it_was_at_the_passage(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    before = sighting(lot.entry, lot.at(0))
    lot.clock.move_to(lot.at(30))
    await freeze(lot, driver.card_id)
    await keep(lot, before)
    await work(lot)
    assert await outcomes(lot) == [("matched", "entry_by_plate", driver.card_id)]


async def test_an_unknown_plate_is_looked_at_again_when_a_driver_enters_it(lot: Lot) -> None:
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await sees(lot, lot.exit, 60)
    await work(lot)
    assert await outcomes(lot) == [("held", "unknown_plate", None)]
    await seen.enter_plate(lot, driver, "粤Ｂ-12345")
    await work(lot)
    assert await outcomes(lot) == [("matched", "exit_by_plate", driver.card_id)]
    assert await charges(lot) == [(driver.card_id, 180)]


async def test_what_nobody_asks_for_is_given_up_after_the_hours_of_the_lot(lot: Lot) -> None:
    await driver_with_plate(lot, "A 1111")
    await sees(lot, lot.exit, 0, "NOBODY1")
    await sees(lot, lot.exit, 1, "A1111")
    await sees(lot, lot.entry, 2, "?")
    await sees(lot, lot.exit, 3, "0001", medium="ticket")
    await work(lot)
    reasons = ["unknown_plate", "awaiting_entry", "unreadable_plate", "no_card"]
    assert await outcomes(lot) == [("held", reason, None) for reason in reasons]
    await later(lot, 48 * 60 + 10)
    assert await outcomes(lot) == [("dismissed", reason, None) for reason in reasons]
    assert await match(lot) == 0


async def test_a_plate_is_nothing_to_another_operators_card(lot: Lot) -> None:
    driver = await driver_with_plate(lot)
    async with lot.pool.acquire() as conn:
        other = await seed.operator(conn, lot.services.vault, name="Uptown")
        await conn.execute("update card set operator_id = $1 where card_id = $2", other, driver.card_id)
        await conn.execute("delete from credential")
    await sees(lot, lot.entry, 0)
    await work(lot)
    assert await outcomes(lot) == [("held", "unknown_plate", None)]


async def test_a_lift_alone_at_an_exit_is_a_record_once_the_gate_has_told_the_minute_after_it(lot: Lot) -> None:
    await sees(lot, lot.exit, 10, None, medium="lift", by="wang.li")
    await work(lot)
    assert await outcomes(lot) == [("received", None, None)]
    await later(lot)
    assert await outcomes(lot) == [("noted", "lift_alone", None)]


async def test_a_lift_after_something_else_waits_for_a_person(lot: Lot) -> None:
    await sees(lot, lot.exit, 10, "0001", medium="ticket")
    await sees(lot, lot.exit, 11, None, medium="lift", by="wang.li")
    await sees(lot, lot.entry, 30, None, medium="lift", by="wang.li")
    await later(lot)
    assert await outcomes(lot) == [("held", "no_card", None)] * 3


async def test_of_two_workers_one_decides(lot: Lot) -> None:
    drivers = [await driver_with_plate(lot, f"B{number:05d}") for number in range(4)]
    for number, driver in enumerate(drivers):
        await lot.upload(lot.goes_in(driver, 0), minute=1)
        await sees(lot, lot.exit, 60, f"B{number:05d}")
    await lot.apply()
    now = lot.clock.now()
    await asyncio.gather(
        *[
            in_tx(
                lot.pool,
                lambda conn: parking_sightings.match(conn, owner=seed.OWNER, buckets=lot.buckets, now=now),
            )
            for _ in range(4)
        ]
    )
    await work(lot)
    assert len(await lot.scans()) == 8
    assert sorted(await charges(lot)) == sorted((driver.card_id, 180) for driver in drivers)


async def test_a_worker_without_the_lease_writes_nothing(lot: Lot) -> None:
    await driver_with_plate(lot)
    await sees(lot, lot.entry, 0)
    assert await match(lot, owner="somebody-else") == 0
    assert await outcomes(lot) == [("received", None, None)]


async def test_a_plate_stands_nowhere_in_clear(lot: Lot, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await driver_with_plate(lot, "沪A 99Z9Z")
    await sees(lot, lot.entry, 0, "沪A 99Z9Z")
    await sees(lot, lot.exit, 1, "T-99Z9Z", medium="ticket")
    await work(lot)
    async with lot.pool.acquire() as conn:
        tables = [
            row["tablename"] for row in await conn.fetch("select tablename from pg_tables where schemaname = 'public'")
        ]
        texts = [row[0] for table in tables for row in await conn.fetch(f"select t::text from {table} t")]
    assert not [text for text in [*texts, caplog.text] if "99Z9Z" in text or b"99Z9Z".hex() in text]
    assert PLATE not in caplog.text


async def freeze(lot: Lot, card_id: int) -> None:
    await in_tx(
        lot.pool,
        lambda conn: card_service.freeze(
            conn, bucket=bucket_of(card_id), card_ids=[card_id], reason=FreezeReason.LOST, now=lot.clock.now()
        ),
    )
