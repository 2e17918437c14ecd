"""Scans become stays with fees: once, in any order of arrival, late or early, and never for want of patience."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from parkflow import core
from parkflow.db.conn import Conn, Row
from parkflow.db.tx import tx
from parkflow.gate import scans as gate_scans
from parkflow.gate import service as gate_service
from parkflow.gate.state import GateEvent
from parkflow.parking import service as parking_service
from parkflow.tariff import service as tariff_service
from tests import seed
from tests.db.parking.closed import tariff
from tests.db.parking.conftest import TARIFF, Lot
from tests.street import open_lot, upload


async def test_an_entry_and_an_exit_make_a_priced_stay(lot: Lot) -> None:
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), lot.goes_out(driver, 60), minute=61)
    assert await lot.apply() == (0, 1, 0, 0, 0, 1, 0, 0)
    fee = core.Tariff.load(TARIFF).price(
        entry_s=int(lot.at(0).timestamp()), exit_s=int(lot.at(60).timestamp()), vehicle_class="car"
    )
    assert fee.fee_minor == 180
    assert await lot.stays() == [("priced", 0, 60, 180)]
    async with lot.pool.acquire() as conn:
        row = await conn.fetchrow("select tariff_sha256, fee_lines, currency, tzdata_version from stay")
    assert row is not None
    assert row["tariff_sha256"] == lot.tariff_sha256
    assert (row["currency"], row["tzdata_version"]) == ("USD", core.Tariff.load(TARIFF).tzdata_version)
    assert row["fee_lines"]


async def test_applying_again_changes_nothing(lot: Lot) -> None:
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    assert (await lot.apply()).opened == 1
    assert sum(await lot.apply()) == 0
    await lot.upload(lot.goes_out(driver, 30), minute=31)
    assert (await lot.apply()).closed == 1
    assert sum(await lot.apply()) == 0
    assert await lot.stays() == [("priced", 0, 30, 90)]


async def test_an_exit_uploaded_before_its_entry_waits_for_it(lot: Lot) -> None:
    driver = await lot.driver()
    entry, leaving = lot.goes_in(driver, 0), lot.goes_out(driver, 60)
    await lot.upload(leaving, minute=61)
    assert (await lot.apply()).held == 1
    assert await lot.scans() == [("held", "awaiting_entry")]
    assert sum(await lot.apply()) == 0
    await lot.upload(entry, minute=180)
    assert (await lot.apply()).closed == 1
    assert await lot.stays() == [("priced", 0, 60, 180)]
    assert await lot.scans() == [("applied", None)] * 2


# Each gate sends its journal from the front: 0 before 2 at the entry, 1 before 3 at the exit.
ARRIVALS = [order for order in itertools.permutations(range(4)) if order.index(0) < order.index(2)]


@pytest.mark.parametrize("order", [order for order in ARRIVALS if order.index(1) < order.index(3)])
async def test_however_the_gates_uploads_interleave_the_stays_are_the_same(lot: Lot, order: tuple[int, ...]) -> None:
    driver = await lot.driver()
    scans = [lot.goes_in(driver, 0), lot.goes_out(driver, 60), lot.goes_in(driver, 90), lot.goes_out(driver, 120)]
    for place in order:
        await lot.upload(scans[place], minute=180)
        await lot.apply()
    await lot.beat(lot.entry, lot.exit, minute=181)
    await lot.apply()
    assert await lot.stays() == [("priced", 0, 60, 180), ("priced", 90, 120, 90)]
    assert {state for state, _ in await lot.scans()} == {"applied"}


async def test_a_second_entry_waits_while_the_exit_before_it_may_still_come(lot: Lot) -> None:
    driver = await lot.driver()
    leaving = lot.goes_out(driver, 60)
    await lot.upload(lot.goes_in(driver, 0), lot.goes_in(driver, 90), minute=91)
    assert (await lot.apply()).opened == 1
    assert await lot.stays() == [("open", 0, None, None)]
    await lot.beat(lot.entry, minute=100)
    assert sum(await lot.apply()) == 0
    await lot.upload(leaving, minute=200)
    assert await lot.apply() == (1, 1, 0, 0, 0, 1, 0, 0)
    assert await lot.stays() == [("priced", 0, 60, 180), ("open", 90, None, None)]


async def test_when_every_exit_gate_has_uploaded_the_earlier_stay_has_no_exit(lot: Lot) -> None:
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), lot.goes_in(driver, 90), minute=91)
    await lot.apply()
    await lot.beat(lot.exit, minute=92)
    assert (await lot.apply()).abandoned == 1
    assert await lot.stays() == [("abandoned", 0, None, None), ("open", 90, None, None)]


async def test_a_code_held_up_twice_is_one_passage(lot: Lot) -> None:
    driver = await lot.driver()
    twice = [lot.goes_in(driver, 0), lot.goes_in(driver, 1)]
    await lot.upload(*twice, minute=2)
    await lot.apply()
    await lot.upload(lot.goes_out(driver, 30), minute=31)
    await lot.apply()
    await lot.upload(lot.goes_out(driver, 31), minute=32)
    await lot.apply()
    assert await lot.stays() == [("priced", 0, 30, 90)]
    assert await lot.scans() == [("applied", None), ("rejected", "repeated")] * 2


async def test_one_card_stands_in_two_lots_at_once(lot: Lot) -> None:
    driver = await lot.driver()
    async with tx(lot.pool) as conn:
        _, [entry, _] = await open_lot(conn, lot.operator_id, "water-st", lot.start)
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await upload(lot.client, entry, lot.at(1), entry.scan(driver.code(lot.at(1)), lot.at(1)))
    assert (await lot.apply()).opened == 2
    await lot.upload(lot.goes_out(driver, 60), minute=61)
    assert (await lot.apply()).closed == 1
    assert [stay[0] for stay in await lot.stays()] == ["priced", "open"]


async def test_a_quarantined_gates_scans_wait_until_it_is_released(lot: Lot) -> None:
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    async with tx(lot.pool) as conn:
        gate = await gate_service.get(conn, lot.entry.gate_id)
        await gate_service.change_state(conn, gate, GateEvent.QUARANTINE, reason="x", actor="a", now=lot.at(1))
    assert sum(await lot.apply()) == 0
    async with tx(lot.pool) as conn:
        await gate_service.change_state(conn, gate, GateEvent.RELEASE, reason="x", actor="a", now=lot.at(2))
    assert (await lot.apply()).opened == 1


async def test_without_the_lease_nothing_is_written(lot: Lot) -> None:
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), lot.goes_out(driver, 60), minute=61)
    async with tx(lot.pool) as conn:
        stranger = await parking_service.apply(conn, owner="stranger", buckets=lot.buckets, now=lot.at(61))
    assert sum(stranger) == 0
    assert await lot.stays() == []


async def test_a_stay_without_a_tariff_waits_and_holds_up_no_other(lot: Lot) -> None:
    driver = await lot.driver()
    async with tx(lot.pool) as conn:
        lot_id, [entry, leaving] = await open_lot(conn, lot.operator_id, "water-st", lot.start)
    for gate, minute in ((entry, 0), (leaving, 10)):
        lot.clock.move_to(lot.at(20))
        await upload(lot.client, gate, lot.at(20), gate.scan(driver.code(lot.at(minute)), lot.at(minute)))
    await lot.upload(lot.goes_in(driver, 0), lot.goes_out(driver, 60), minute=61)
    assert (await lot.apply()).priced == 1
    assert sorted(stay[0] for stay in await lot.stays()) == ["closed", "priced"]
    async with tx(lot.pool) as conn:
        await tariff_service.assign(
            conn,
            operator_id=lot.operator_id,
            lot_id=lot_id,
            sha256=lot.tariff_sha256,
            valid_from=lot.start - timedelta(days=1),
            now=lot.at(70),
        )
    assert (await lot.apply()).priced == 1


async def test_a_stay_that_ends_is_written_once_with_its_price(lot: Lot) -> None:
    at_once, later = await lot.driver(), await lot.driver()
    await lot.upload(lot.goes_in(at_once, 0), lot.goes_out(at_once, 60), lot.goes_in(later, 1), minute=61)
    assert await written_to_stays(lot) == (2, 0)
    await lot.upload(lot.goes_out(later, 61), minute=62)
    assert await written_to_stays(lot) == (0, 1)
    assert await lot.stays() == [("priced", 0, 60, 180), ("priced", 1, 61, 180)]


async def written_to_stays(lot: Lot) -> tuple[int, int]:
    """Apply; how many stays were inserted and how many updated."""
    async with tx(lot.pool) as conn:
        before = await counted(conn, "stay")
        await parking_service.apply(conn, owner=seed.OWNER, buckets=lot.buckets, now=lot.clock.now())
        after = await counted(conn, "stay")
    return after["inserted"] - before["inserted"], after["updated"] - before["updated"]


async def counted(conn: Conn, table: str) -> Row:
    """Rows of the table that this connection has written and read of late."""
    row = await conn.fetchrow(
        "select n_tup_ins as inserted, n_tup_upd as updated, seq_tup_read + idx_tup_fetch as read"
        " from pg_stat_xact_user_tables where relname = $1",
        table,
    )
    assert row is not None
    return row


async def test_a_stay_is_priced_by_its_own_class_of_vehicle(lot: Lot) -> None:
    driver = await lot.driver()
    buses = tariff("buses", of_plan="if: {class: [bus]},")
    async with tx(lot.pool) as conn:
        lot_id, [entry, leaving] = await open_lot(conn, lot.operator_id, "water-st", lot.start)
        version = await tariff_service.publish(conn, operator_id=lot.operator_id, source=buses, now=lot.start)
        await tariff_service.assign(
            conn,
            operator_id=lot.operator_id,
            lot_id=lot_id,
            sha256=version.sha256,
            valid_from=lot.start,
            now=lot.start,
        )
    await upload(lot.client, entry, lot.at(0), entry.scan(driver.code(lot.at(0)), lot.at(0)))
    await lot.apply()
    async with tx(lot.pool) as conn:
        # The class that its card had then; the card is a car's now.
        await conn.execute("update stay set vehicle_class = 'bus' where lot_id = $1", lot_id)
    lot.clock.move_to(lot.at(60))
    await upload(lot.client, leaving, lot.at(60), leaving.scan(driver.code(lot.at(60)), lot.at(60)))
    await lot.apply()
    assert await lot.stays() == [("priced", 0, 60, 180)]


async def test_a_pass_reads_few_more_scans_than_it_takes(lot: Lot) -> None:
    async with tx(lot.pool) as conn:
        await conn.execute(
            "insert into scan (bucket, gate_id, epoch, seq, card_id, operator_id, lot_id, direction, scanned_at,"
            " code_id, serial, state, received_at)"
            " select n % 100, $1, 9, n, n, 1, 1, 'entry', $2, decode(lpad(to_hex(n), 32, '0'), 'hex'), 1,"
            " 'received', $2"
            " from generate_series(1, 5000) as n",
            lot.entry.gate_id,
            lot.start,
        )
    async with tx(lot.pool) as conn:
        before = await counted(conn, "scan")
        groups = await gate_scans.groups_to_apply(conn, owner=seed.OWNER, buckets=lot.buckets, scans_max=120)
        read = (await counted(conn, "scan"))["read"] - before["read"]
    assert len(groups) == 120
    assert {group.bucket for group in groups} == {0, 1, 2}, "bucket by bucket"
    assert read <= 150, "50 of each bucket that it comes to"


async def test_missing_exits_and_entries_are_given_up_by_policy_once_all_gates_have_uploaded(lot: Lot) -> None:
    inside, outside = await lot.driver(), await lot.driver()
    await lot.upload(lot.goes_in(inside, 0), lot.goes_out(outside, 0), minute=1)
    await lot.apply()

    async def give_up(minute: int) -> int:
        async with tx(lot.pool) as conn:
            return await parking_service.give_up(conn, owner=seed.OWNER, buckets=lot.buckets, now=lot.at(minute))

    assert await give_up(49 * 60) == 0, "the gates have not said that they uploaded all"
    await lot.beat(lot.entry, lot.exit, minute=47 * 60)
    assert await give_up(47 * 60) == 0, "the policy says 48 hours"
    assert await give_up(49 * 60) == 2
    assert [stay[0] for stay in await lot.stays()] == ["abandoned"]
    assert ("rejected", "missing_entry") in await lot.scans()
    assert await give_up(50 * 60) == 0


async def test_two_workers_that_apply_at_once_make_each_stay_once(lot: Lot) -> None:
    drivers = [await lot.driver() for _ in range(3)]
    scans = [scan for driver in drivers for scan in (lot.goes_in(driver, 0), lot.goes_out(driver, 60))]
    await lot.upload(*scans, minute=61)
    ends = await asyncio.gather(*(lot.apply() for _ in range(4)), return_exceptions=True)
    assert any(not isinstance(end, BaseException) for end in ends)
    await lot.apply()
    assert await lot.stays() == [("priced", 0, 60, 180)] * 3
