"""Applying scans: stays begin, end and get their price; every step may be run again and changes nothing then."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parkflow.card import service as card_service
from parkflow.db.conn import Conn
from parkflow.gate import scans as gate_scans
from parkflow.gate import service as gate_service
from parkflow.gate.unpaired import Group, WaitingScan
from parkflow.lot import service as lot_service
from parkflow.operator import service as operator_service
from parkflow.parking import store
from parkflow.parking.pricing import price_closed
from parkflow.parking.rules import MISSING_EXIT, REPEAT_WITHIN, KnownStay, NewStay, Outcome, Timeline, pair
from parkflow.parking.store import StayToInsert

# One pass takes so many scans; the worker comes again at once while there are more.
SCANS_PER_PASS_MAX: Final = 5_000


class Applied(NamedTuple):
    """What a pass changed. All zero: nothing is left to apply now."""

    opened: int = 0
    closed: int = 0
    abandoned: int = 0
    held: int = 0
    rejected: int = 0
    priced: int = 0


async def apply(conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime) -> Applied:
    """Pair the scans that wait in the buckets leased by `owner`, and price the stays that are closed.

    Scans are paired per card and lot: one card may stand in two lots at once. Writes are fenced by the lease.
    """
    groups = await _groups(conn, owner, buckets)
    outcome = await _pair(conn, groups) if groups else Outcome()
    await _write(conn, owner, outcome, now)
    priced = await price_closed(conn, owner=owner, buckets=buckets, now=now)
    new = outcome.new
    return Applied(
        opened=sum(stay.exit is None and not stay.abandoned for stay in new),
        closed=len(outcome.closed) + sum(stay.exit is not None for stay in new),
        abandoned=len(outcome.abandoned) + sum(stay.abandoned for stay in new),
        held=len(outcome.held),
        rejected=len(outcome.rejected),
        priced=priced,
    )


async def abandon_open(conn: Conn, *, operator_id: int, now: datetime) -> int:
    """Give up stays whose exit never came, and exits whose entry never came; how many of both.

    After the hours of the lot's policy, and not before every gate of the lot has uploaded past them.
    """
    lots = await lot_service.of_operator(conn, operator_id)
    complete = await gate_service.lots_complete_to(conn, [lot.lot_id for lot in lots])
    limits = {
        lot.lot_id: min(now - timedelta(hours=lot.policy.missing_exit_hours), complete.get(lot.lot_id, now))
        for lot in lots
    }
    stays = await store.abandon_open(conn, limits, MISSING_EXIT)
    return stays + await gate_scans.reject_lonely_exits(conn, limits)


async def _groups(conn: Conn, owner: str, buckets: Sequence[int]) -> list[Group]:
    """Groups with new scans, and groups whose held entries need to wait no longer."""
    groups = await gate_scans.groups_to_apply(conn, owner=owner, buckets=buckets, scans_max=SCANS_PER_PASS_MAX)
    waiting = await gate_scans.groups_awaiting_exit(conn, owner=owner, buckets=buckets)
    if waiting:
        complete = await gate_service.exits_complete_to(conn, sorted({one.group.lot_id for one in waiting}))
        groups += [one.group for one in waiting if complete.get(one.group.lot_id, one.since) >= one.since]
    return sorted(set(groups))


async def _pair(conn: Conn, groups: Sequence[Group]) -> Outcome:
    scans: dict[Group, list[WaitingScan]] = {}
    for scan in await gate_scans.of_groups(conn, groups):
        scans.setdefault(scan.group, []).append(scan)
    opened = await store.open_stays(conn, groups)
    recent = await _recent(conn, scans, opened)
    complete = await gate_service.exits_complete_to(conn, sorted({group.lot_id for group in groups}))
    timelines = [
        Timeline(group, opened.get(group), recent.get(group), scans[group], complete.get(group.lot_id))
        for group in groups
        if group in scans
    ]
    return await asyncio.to_thread(pair, timelines)


async def _recent(
    conn: Conn, scans: Mapping[Group, Sequence[WaitingScan]], opened: Mapping[Group, KnownStay]
) -> Mapping[Group, KnownStay]:
    """The stays whose exit a scan may repeat; only such as ended before all that is being paired."""
    windows = {}
    for group, waiting in scans.items():
        first = min(scan.scanned_at for scan in waiting)
        if group in opened:
            first = min(first, opened[group].entry.at)
        windows[group] = (first - REPEAT_WITHIN, first)
    return await store.recent_stays(conn, windows)


async def _write(conn: Conn, owner: str, outcome: Outcome, now: datetime) -> None:
    # Ends come before beginnings: of one card only one stay is open in a lot.
    await store.close_stays(conn, owner, outcome.closed)
    await store.abandon_stays(conn, owner, outcome.abandoned, MISSING_EXIT)
    await store.insert_stays(conn, owner, await _to_insert(conn, outcome.new), now)
    await gate_scans.mark_applied(conn, owner, outcome.applied)
    await gate_scans.mark_held(conn, owner, outcome.held)
    await gate_scans.mark_rejected(conn, owner, outcome.rejected)


async def _to_insert(conn: Conn, new: Sequence[NewStay]) -> list[StayToInsert]:
    cards = await card_service.many(conn, sorted({stay.group.card_id for stay in new})) if new else {}
    operators = {
        operator_id: await operator_service.get(conn, operator_id)
        for operator_id in sorted({card.operator_id for card in cards.values()})
    }
    return [
        StayToInsert(stay, card.operator_id, card.vehicle_class, operators[card.operator_id].currency)
        for stay in new
        if (card := cards[stay.group.card_id])
    ]
