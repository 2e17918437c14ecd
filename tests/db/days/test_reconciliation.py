"""Reconciliation against the simulated channel's own bill: agreement, settling the unknown, and every break kept."""

from dataclasses import replace
from datetime import date

import pytest

from gate_sim.channel.plan import Plan
from parkflow.channel.port import Bill, BillMalformed, BillNotReady, ChannelUnknown
from parkflow.channel.simulated_wire import request_headers
from parkflow.charge import deduct
from parkflow.db.tx import tx
from parkflow.kit.money import Minor
from parkflow.reconciliation import service as reconciliation
from parkflow.reconciliation.rules import BreakClass
from parkflow.reconciliation.service import Report
from parkflow.refund import service as refunds
from tests import seed
from tests.day_world import OWNER, SECRET, World

DAY = date(2017, 10, 20)


async def run(world: World, bill: Bill | None = None) -> Report:
    return await reconciliation.run(world.services, channel=seed.CHANNEL, day=DAY, now=world.now, bill=bill)


async def bill_of(world: World) -> Bill:
    return await world.services.channels[seed.CHANNEL].fetch_bill(DAY)


async def paid_day(world: World) -> None:
    driver = await world.driver("w", 5_000)
    await world.park(driver.card_id, 900)
    await world.settle()
    world.advance(days=1)


async def test_a_day_of_which_all_is_known_matches_line_by_line(world: World) -> None:
    await paid_day(world)
    report = await run(world)
    assert (report.rows, report.matched, report.breaks) == (2, 2, [])
    assert report.ours_minor == report.theirs_minor == seed.DEPOSIT_MINOR + 900
    assert await world.value("select matched from reconciliation_run") == 2


async def test_the_bill_settles_an_attempt_whose_answer_was_lost(world: World) -> None:
    driver = await world.driver("w", 5_000, Plan.TIMEOUT_AFTER)
    await world.park(driver.card_id, 900)
    await deduct.run(world.services, owner=OWNER, buckets=world.leases.buckets, now=world.now)
    assert await world.value("select state from attempt where purpose = 'deduct'") == "unknown"
    world.advance(days=1)
    report = await run(world)
    assert (report.settled, report.breaks) == (1, [])
    assert await world.value("select state from charge where kind = 'stay'") == "paid"
    kept = await world.value("select class from reconciliation_break where resolved_at is not null")
    assert kept == BreakClass.STATE_DIFFERS
    again = await run(world)
    assert (again.settled, again.matched, again.ours_minor) == (0, 2, report.ours_minor)


async def test_comparing_twice_changes_nothing(world: World) -> None:
    await paid_day(world)
    assert await run(world) == await run(world)
    assert await world.value("select count(*) from ledger_transfer") == 3


async def test_money_under_a_number_that_is_not_ours_is_kept_as_a_break(world: World) -> None:
    await paid_day(world)
    bill = await bill_of(world)
    stranger = replace(bill.rows[0], order_no="someoneelses1", number="someoneelses1")
    report = await run(world, replace(bill, rows=[*bill.rows, stranger]))
    assert [(found.break_class, found.key.number) for found in report.breaks] == [
        (BreakClass.THEIRS_ONLY, "someoneelses1")
    ]


async def test_a_break_that_is_gone_is_marked_resolved(world: World) -> None:
    await paid_day(world)
    bill = await bill_of(world)
    wrong = replace(bill.rows[0], amount_minor=Minor(bill.rows[0].amount_minor + 1))
    first = await run(world, replace(bill, rows=[wrong, *bill.rows[1:]]))
    assert [found.break_class for found in first.breaks] == [BreakClass.AMOUNT_DIFFERS]
    assert await world.value("select count(*) from reconciliation_break where resolved_at is null") == 1
    assert (await run(world)).breaks == []
    assert await world.value("select count(*) from reconciliation_break where resolved_at is null") == 0


async def test_what_the_bill_lacks_is_ours_only(world: World) -> None:
    await paid_day(world)
    bill = await bill_of(world)
    report = await run(world, replace(bill, rows=bill.rows[:1]))
    assert [found.break_class for found in report.breaks] == [BreakClass.OURS_ONLY]


async def test_refunds_are_compared_too(world: World) -> None:
    driver = await world.driver("w", 0)
    async with tx(world.pool) as conn:
        await refunds.request_deposit(conn, card_id=driver.card_id, now=world.now)
    await world.settle()
    world.advance(days=1)
    report = await run(world)
    assert (report.rows, report.matched, report.ours_minor, report.theirs_minor) == (2, 2, 0, 0)


async def test_a_bill_that_is_not_made_yet_and_a_channel_that_is_not_there_are_refused(world: World) -> None:
    with pytest.raises(BillNotReady):
        await run(world)
    with pytest.raises(ChannelUnknown):
        await reconciliation.run(world.services, channel="nobody", day=DAY, now=world.now)


async def test_a_bill_from_a_file_is_checked_like_one_that_was_fetched(world: World) -> None:
    await paid_day(world)
    channel = world.services.channels[seed.CHANNEL]
    file = await bill_file(world)
    assert (await run(world, channel.read_bill(DAY, file))).matched == 2
    for wrong in (b"", b"{}", file.replace(b"2900", b"2901"), file.replace(b'2017-10-20",', b'2017-10-19",')):
        with pytest.raises(BillMalformed):
            channel.read_bill(DAY, wrong)


async def bill_file(world: World) -> bytes:
    """What the channel hands out for a day, as a person would keep it."""
    target = f"/v1/bills/{DAY}?zone=America/New_York"
    headers = request_headers(SECRET, now=world.clock.wall(), method="GET", target=target, body=b"")
    return (await world.people.get(target, headers=headers)).content
