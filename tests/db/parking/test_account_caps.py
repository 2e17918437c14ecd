"""Tariffs that count over a card's stays: settled in order, each use once, whoever is killed or late."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence

import pytest

from parkflow import core
from parkflow.charge import service as charges
from parkflow.db.tx import tx
from parkflow.invariants import prices
from parkflow.ledger import service as ledger
from parkflow.tariff import service as tariff_service
from tests import seed
from tests.db.parking.closed import DAILY, close, furnish, price, tariff
from tests.db.parking.conftest import Lot

DAY = 24 * 60


async def fees(lot: Lot, card_id: int) -> list[int | None]:
    """The fees of the card's stays in order of exit; None: not priced."""
    async with lot.pool.acquire() as conn:
        rows = await conn.fetch("select fee_minor from stay where card_id = $1 order by exit_at, stay_id", card_id)
    return [row["fee_minor"] for row in rows]


async def history(lot: Lot, card_id: int) -> tuple[int, core.AccountHistory]:
    """The version of the card's history, and what it says for all lots."""
    async with lot.pool.acquire() as conn:
        row = await conn.fetchrow("select version, used from account_history where card_id = $1", card_id)
    assert row is not None
    return row["version"], core.AccountHistory.from_json(json.dumps(row["used"]))


def replayed(text: str, lot: Lot, stays: Sequence[tuple[int, int]]) -> tuple[list[int], core.AccountHistory]:
    """What the core itself makes of the stays, one after the other."""
    account, loaded = core.AccountHistory(), core.Tariff.load(text)
    due = [
        loaded.settle(
            entry_s=int(lot.at(entry).timestamp()), exit_s=int(lot.at(leaving).timestamp()), history=account
        ).fee_minor
        for entry, leaving in stays
    ]
    return due, account


async def differing(lot: Lot) -> int:
    """Stays whose record no longer gives their fee (I-14)."""
    async with lot.pool.acquire() as conn:
        return await prices.count_differing(conn)


async def test_stays_of_a_card_share_a_cap_in_order_of_exit_over_passes_and_within_one(lot: Lot) -> None:
    text = tariff("t", of_plan=DAILY)
    place = await furnish(lot, "b", text)
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (place, 200, 250), (place, 0, 60), (place, 100, 180))
    assert await price(lot) == 3
    assert await fees(lot, card_id) == [180, 220, 0]
    await close(lot, card_id, (place, 300, 301), (place, DAY, DAY + 60))
    assert await price(lot) == 2
    assert await fees(lot, card_id) == [180, 220, 0, 0, 180]
    assert await price(lot) == 0
    version, used = await history(lot, card_id)
    stays = [(0, 60), (100, 180), (200, 250), (300, 301), (DAY, DAY + 60)]
    assert (version, used.to_json()) == (2, replayed(text, lot, stays)[1].to_json())
    assert await differing(lot) == 0


async def test_a_record_with_another_history_is_found(lot: Lot) -> None:
    place = await furnish(lot, "b", tariff("t", of_plan=DAILY))
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (place, 0, 60), (place, 100, 280))
    await price(lot)
    assert await differing(lot) == 0
    async with tx(lot.pool) as conn:
        await conn.execute("update stay set fee_lines = fee_lines - 'history' where card_id = $1", card_id)
    assert await differing(lot) == 1


async def test_a_late_stay_is_settled_when_it_arrives_and_changes_no_other(lot: Lot) -> None:
    place = await furnish(lot, "b", tariff("t", of_plan=DAILY))
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (place, 100, 200))
    await price(lot)
    await close(lot, card_id, (place, 0, 60))
    await price(lot)
    assert await fees(lot, card_id) == [40, 360]
    assert await differing(lot) == 0


async def test_a_pool_spans_lots_and_tariffs_but_a_re_entry_is_to_the_same_lot(lot: Lot) -> None:
    again = "reentry: {within: 60, mode: continue},"
    here = await furnish(lot, "b", tariff("t1", of_plan=DAILY, of_tariff=again))
    there = await furnish(lot, "c", tariff("t2", of_plan=DAILY, of_tariff=again))
    card_id = (await lot.driver()).card_id
    # 0-60 here; 70-100 there is no continuation of it; 90-110 here is: 110 minutes from 0 on are two hours.
    await close(lot, card_id, (here, 0, 60), (there, 70, 100), (here, 90, 110))
    assert await price(lot) == 3
    assert await fees(lot, card_id) == [180, 180, 0]
    assert await differing(lot) == 0
    async with lot.pool.acquire() as conn:
        chains = await conn.fetchval("select chains from account_history where card_id = $1", card_id)
    assert sorted(chains) == sorted([str(here), str(there)])


async def test_free_minutes_of_a_day_are_given_once(lot: Lot) -> None:
    place = await furnish(lot, "b", tariff("t", of_plan="free: {minutes: 90, per: day},"))
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (place, 0, 60), (place, 100, 160), (place, DAY, DAY + 60))
    assert await price(lot) == 3
    assert await fees(lot, card_id) == [0, 180, 0]


async def test_a_stay_that_cannot_be_priced_holds_up_neither_its_card_nor_others(lot: Lot) -> None:
    place = await furnish(lot, "b", tariff("t", of_plan=f"if: {{minutes: {{lt: 120}}}}, {DAILY}"))
    one, other = (await lot.driver()).card_id, (await lot.driver()).card_id
    await close(lot, one, (place, 0, 120), (place, 130, 190))
    await close(lot, other, (place, 0, 120))
    assert await price(lot) == 1
    assert (await fees(lot, one), await fees(lot, other)) == ([None, 180], [None])
    assert await price(lot) == 0
    async with lot.pool.acquire() as conn:
        assert await conn.fetchval("select array_agg(card_id) from account_history") == [one]


async def test_tariffs_over_one_stay_touch_no_history(lot: Lot) -> None:
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (lot.lot_id, 0, 60))
    assert await price(lot) == 1
    async with lot.pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from account_history") == 0


async def test_a_pass_that_is_cut_leaves_the_later_stays_of_a_card(lot: Lot) -> None:
    text = tariff("t", of_plan=DAILY)
    place = await furnish(lot, "b", text)
    card_id = (await lot.driver()).card_id
    stays = [(minute, minute + 1) for minute in range(0, 60 * DAY, 500)]
    await close(lot, card_id, *[(place, *stay) for stay in reversed(stays)])
    counts = []
    while count := await price(lot, stays_max=7):
        counts.append(count)
    assert (counts[:-1], sum(counts)) == ([7] * (len(stays) // 7), len(stays))
    due, account = replayed(text, lot, stays)
    assert await fees(lot, card_id) == due
    # Of sixty days the last 35 are remembered.
    _, used = await history(lot, card_id)
    windows, all_windows = (json.loads(one.to_json())["uses"]["pool/city"]["windows"] for one in (used, account))
    assert len(windows) == 38
    assert windows == all_windows[-38:]


async def test_any_number_of_stays_without_a_price_holds_up_no_other(lot: Lot) -> None:
    place = await furnish(lot, "b", tariff("t", of_plan=f"if: {{minutes: {{lt: 120}}}}, {DAILY}"))
    cards = [(await lot.driver()).card_id for _ in range(4)]
    for card_id in cards:
        await close(lot, card_id, *[(place, minute, minute + 120) for minute in range(0, 1_500, 150)])
    await close(lot, cards[2], (place, 2_000, 2_060))
    assert await price(lot, stays_max=3) == 1
    assert await price(lot, stays_max=3) == 0
    assert (await fees(lot, cards[2]))[-1] == 180


async def test_workers_that_price_at_once_apply_each_stay_once(lot: Lot) -> None:
    text = tariff("t", of_plan=DAILY)
    place = await furnish(lot, "b", text)
    cards = [(await lot.driver()).card_id for _ in range(3)]
    stays = [(minute, minute + 20) for minute in range(0, 5 * DAY, 200)]
    for start in range(0, len(stays), 6):
        for card_id in cards:
            await close(lot, card_id, *[(place, *stay) for stay in stays[start : start + 6]])
        counts = await asyncio.gather(*(price(lot) for _ in range(4)))
        assert sum(counts) == len(cards) * len(stays[start : start + 6])
    due, account = replayed(text, lot, stays)
    for card_id in cards:
        assert await fees(lot, card_id) == due
        assert (await history(lot, card_id))[1].to_json() == account.to_json()
    assert await differing(lot) == 0


async def test_a_worker_that_lost_its_lease_moves_no_history(lot: Lot) -> None:
    place = await furnish(lot, "b", tariff("t", of_plan=DAILY))
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (place, 0, 60))
    assert await price(lot, owner="stranger") == 0
    async with lot.pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from account_history") == 0


@pytest.mark.parametrize("failpoint", ["price.histories", "price.stays"])
async def test_a_worker_killed_between_the_statements_has_done_nothing(lot: Lot, dsn: str, failpoint: str) -> None:
    text = tariff("t", of_plan=DAILY)
    place = await furnish(lot, "b", text)
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (place, 0, 60), (place, 100, 280))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.price_process", dsn, seed.OWNER, lot.start.isoformat()),
        env={**os.environ, "PARKFLOW_FAILPOINT": f"{failpoint}:kill9"},
    )
    assert await process.wait() == -signal.SIGKILL
    assert await fees(lot, card_id) == [None, None]
    assert await price(lot) == 2
    due, account = replayed(text, lot, [(0, 60), (100, 280)])
    assert await fees(lot, card_id) == due == [180, 220]
    version, used = await history(lot, card_id)
    assert (version, used.to_json()) == (1, account.to_json())


async def test_a_version_that_counts_back_prices_the_whole_stay_by_its_exit(lot: Lot) -> None:
    place = await furnish(lot, "b", tariff("t"))
    dearer = tariff("t", of_tariff="version_at: exit,").replace("180", "200")
    async with tx(lot.pool) as conn:
        version = await tariff_service.publish(conn, operator_id=lot.operator_id, source=dearer, now=lot.start)
        await tariff_service.assign(
            conn,
            operator_id=lot.operator_id,
            lot_id=place,
            sha256=version.sha256,
            valid_from=lot.at(100),
            now=lot.start,
        )
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (place, 0, 60), (place, 70, 99), (place, 0, 100), (place, 110, 120))
    assert await price(lot) == 4
    # Two hours at 200 for the stay that began before the change and ended at it.
    assert await fees(lot, card_id) == [180, 180, 400, 200]
    assert await differing(lot) == 0


async def test_a_charge_leads_to_the_version_and_the_grounds_of_its_fee(lot: Lot) -> None:
    place = await furnish(lot, "b", tariff("t", of_plan=DAILY))
    card_id = (await lot.driver()).card_id
    await close(lot, card_id, (place, 0, 60), (place, 100, 280))
    await price(lot)
    async with tx(lot.pool) as conn:
        await ledger.ensure_open_day(conn, lot.operator_id, lot.start)
        assert await charges.raise_for_priced(conn, lot.buckets, now=lot.start, deduct_delay_seconds=0) == 2
        rows = await conn.fetch(
            "select c.gross_minor, s.fee_lines, v.source"
            "  from charge c"
            "  join stay s on s.bucket = c.bucket and s.stay_id = c.charge_id"
            "  join tariff_version v on v.operator_id = c.operator_id and v.sha256 = c.tariff_sha256"
            " order by s.exit_at"
        )
    assert [row["gross_minor"] for row in rows] == [180, 220]
    for row in rows:
        loaded, record = core.Tariff.load(row["source"]), row["fee_lines"]
        assert loaded.sha256 == record["tariff_sha256"]
        before = core.AccountHistory.from_json(json.dumps(record.get("history", {})))
        again = loaded.settle(entry_s=record["entry_s"], exit_s=record["exit_s"], vehicle_class="car", history=before)
        assert json.loads(again.to_json()) == record
        assert again.fee_minor == row["gross_minor"]
