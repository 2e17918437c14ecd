"""Applying scans: stays begin, end, are repaired and priced; every step may be run again and changes nothing."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from parkflow.card import service as card_service
from parkflow.db.conn import Conn
from parkflow.gate import scans as gate_scans
from parkflow.gate import service as gate_service
from parkflow.gate.unpaired import Group, PairedScan
from parkflow.jobs.failpoint import failpoint
from parkflow.lot import service as lot_service
from parkflow.lot.service import Lot
from parkflow.operator import service as operator_service
from parkflow.parking import changes, picture, repair_store, resettle, store
from parkflow.parking.changes import NewStay, Outcome
from parkflow.parking.pricing import price_ahead, price_closed
from parkflow.parking.repair_store import Overtaken, StoredDecision, Subject
from parkflow.parking.rules import Decision, Terms, Timeline, pair
from parkflow.parking.state import StayState
from parkflow.parking.store import ClosedStay, PricedStay, StayToInsert

# One pass takes so many scans; the worker comes again at once while there are more.
SCANS_PER_PASS_MAX: Final = 5_000
_log = logging.getLogger("parkflow.parking")
# Groups that are looked at for another reason than a scan: everything up to their last stay is before this.
_AT_THE_END: Final = datetime(9999, 1, 1, tzinfo=UTC)


class Applied(NamedTuple):
    """What a pass changed. All zero: nothing is left to apply now. repaired: stays that had been over."""

    opened: int = 0
    closed: int = 0
    abandoned: int = 0
    held: int = 0
    rejected: int = 0
    priced: int = 0
    repaired: int = 0
    decided: int = 0


async def apply(conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime) -> Applied:
    """Pair the scans that wait in the buckets leased by `owner`, and price the stays that are closed.

    Scans are paired per card and lot: one card may stand in two lots at once. Writes are fenced by the lease.
    """
    groups = await _groups(conn, owner, buckets)
    applied = await _pair_and_write(conn, owner, groups, now) if groups else Applied()
    priced = await price_closed(conn, owner=owner, buckets=buckets, now=now)
    return applied._replace(priced=applied.priced + priced)


async def give_up(conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime) -> int:
    """Do what the lots' policies say with stays whose exit never came and exits whose entry never came; how many.

    After the hours of the lot's policy, and not before every gate of the lot has uploaded past them.
    """
    waiting = await repair_store.lots_with_open_stays(conn, buckets)
    waiting |= await gate_scans.lots_with_lonely_exits(conn, buckets)
    terms = await _terms(conn, sorted(waiting), now)
    limits = {lot_id: known.given_up_before for lot_id, known in terms.items() if known.given_up_before is not None}
    groups = await repair_store.groups_given_up(conn, owner=owner, buckets=buckets, limits=limits)
    groups += await gate_scans.groups_with_lonely_exits(conn, owner=owner, buckets=buckets, limits=limits)
    given_up = await _pair_and_write(conn, owner, sorted(set(groups)), now) if groups else Applied()
    # What is known of their fees at once is no more of them.
    return sum(given_up._replace(priced=0))


async def _groups(conn: Conn, owner: str, buckets: Sequence[int]) -> list[Group]:
    """Groups with new scans or decisions, and groups whose held entries need to wait no longer."""
    groups = await gate_scans.groups_to_apply(conn, owner=owner, buckets=buckets, scans_max=SCANS_PER_PASS_MAX)
    groups += await repair_store.groups_decided(conn, owner=owner, buckets=buckets)
    waiting = await gate_scans.groups_awaiting_exit(conn, owner=owner, buckets=buckets)
    if waiting:
        uploads = await gate_service.uploads_complete_to(conn, sorted({one.group.lot_id for one in waiting}))
        complete = {lot_id: known.exits_to for lot_id, known in uploads.items()}
        groups += [one.group for one in waiting if (complete.get(one.group.lot_id) or one.since) >= one.since]
    return sorted(set(groups))


async def _pair_and_write(conn: Conn, owner: str, groups: Sequence[Group], now: datetime) -> Applied:
    decisions = await repair_store.decisions(conn, groups)
    timelines = await _timelines(conn, groups, decisions, now)
    outcome = await asyncio.to_thread(_outcome, timelines)
    new_decisions = [one for one in decisions if one.is_new]
    try:
        # Within the caller's transaction: what it did before stands when this is given up.
        async with conn.transaction():
            priced = await _write(conn, owner, outcome, now)
            await repair_store.note_applied(conn, new_decisions, now)
    except Overtaken:
        _log.warning("stays were changed by another worker at the same time; the rest follows in the next pass")
        return Applied()
    return _applied(outcome)._replace(priced=priced, decided=len(new_decisions))


def _outcome(timelines: Sequence[Timeline]) -> Outcome:
    return changes.all_changes([(walk.timeline, picture.draw(walk)) for walk in pair(timelines)])


def _applied(outcome: Outcome) -> Applied:
    begun = [one.stay for one in outcome.new]
    changed = [one.stay for one in outcome.changed]
    return Applied(
        opened=sum(stay.state is StayState.OPEN for stay in begun),
        closed=len(outcome.closed)
        + sum(stay.state is StayState.CLOSED for stay in begun)
        + sum(one.stay.state is StayState.CLOSED and one.repair is None for one in outcome.changed),
        abandoned=sum(stay.state is StayState.ABANDONED for stay in (*begun, *changed)),
        held=len(outcome.held) + sum(stay.state is StayState.HELD for stay in (*begun, *changed)),
        rejected=len(outcome.rejected),
        repaired=sum(one.repair is not None for one in outcome.changed),
    )


async def _timelines(
    conn: Conn, groups: Sequence[Group], decisions: Sequence[StoredDecision], now: datetime
) -> list[Timeline]:
    """What is known of the groups, back to where the first of their scans or new decisions may change something."""
    scans: dict[Group, list[PairedScan]] = {group: [] for group in groups}
    for scan in await gate_scans.of_groups(conn, groups):
        scans[scan.group].append(scan)
    since = {group: min((scan.first_at for scan in waiting), default=_AT_THE_END) for group, waiting in scans.items()}
    for one in decisions:
        if one.is_new:
            since[one.group] = min(since[one.group], one.about_at)
    terms = await _terms(conn, sorted({group.lot_id for group in groups}), now)
    with_end = {one.group for one in decisions}
    with_end |= {group for group, waiting in scans.items() if _begins_unseen(waiting, terms[group.lot_id])}
    stays = await repair_store.stays_to_pair(conn, since, with_end=with_end)
    for scan in await gate_scans.set_aside(conn, since):
        scans[scan.group].append(scan)
    known = _by_subject(decisions)
    return [
        Timeline(group, stays.get(group, []), scans[group], terms[group.lot_id], known.get(group, {}))
        for group in groups
    ]


def _begins_unseen(waiting: Sequence[PairedScan], terms: Terms) -> bool:
    """Whether an exit may be given up: its stay begins when the one before ended."""
    return any(scan.direction == "exit" and terms.has_given_up(scan.at) for scan in waiting)


def _by_subject(decisions: Sequence[StoredDecision]) -> Mapping[Group, Mapping[Subject, Sequence[Decision]]]:
    found: dict[Group, dict[Subject, list[Decision]]] = {}
    for one in decisions:
        found.setdefault(one.group, {}).setdefault(one.subject, []).append(one.decision)
    return found


async def _terms(conn: Conn, lot_ids: Sequence[int], now: datetime) -> dict[int, Terms]:
    """What each lot's policy says, and how far its gates have uploaded."""
    if not lot_ids:
        return {}
    lots = await lot_service.by_id(conn, lot_ids)
    uploads = await gate_service.uploads_complete_to(conn, lot_ids)
    return {lot_id: _terms_of(lot, uploads.get(lot_id), now) for lot_id, lot in lots.items()}


def _terms_of(lot: Lot, uploads: gate_service.Uploads | None, now: datetime) -> Terms:
    policy = lot.policy
    missing_after = timedelta(hours=policy.missing_exit_hours)
    all_to = None if uploads is None else uploads.all_to
    return Terms(
        exits_complete_to=None if uploads is None else uploads.exits_to,
        given_up_before=min(now - missing_after, all_to or now),
        missing_exit=policy.missing_exit,
        missing_entry=policy.missing_entry,
        missing_after=missing_after,
        missing_lasts=timedelta(minutes=policy.missing_minutes),
    )


async def _write(conn: Conn, owner: str, outcome: Outcome, now: datetime) -> int:
    """Write all of it; how many stays got their price with their end."""
    begun = await _to_insert(conn, outcome.new)
    prices = await _prices(conn, begun, outcome)
    # Ends come before beginnings: of one card only one stay is open in a lot.
    await store.close_stays(conn, owner, outcome.closed, prices, now)
    await repair_store.change_stays(conn, owner, outcome.changed, now)
    failpoint("apply.changed")
    await store.insert_stays(conn, owner, begun, prices, now)
    await gate_scans.mark_applied(conn, owner, outcome.applied)
    await gate_scans.mark_held(conn, owner, outcome.held)
    await gate_scans.mark_rejected(conn, owner, outcome.rejected)
    await resettle.reopen_accounts(conn, owner, outcome.changed, now)
    failpoint("apply.written")
    return len(prices)


async def _prices(conn: Conn, begun: Sequence[StayToInsert], outcome: Outcome) -> dict[int, PricedStay]:
    """What is known already of the fees of stays that end now."""
    ended = [
        _closed(one.group, one.stay_id, one.was.operator_id, one.was.vehicle_class, (one.was.entry.at, one.exit.at))
        for one in outcome.closed
    ]
    ended += [
        _closed(one.new.group, stay.stay_id, one.operator_id, one.vehicle_class, (stay.entry.at, stay.exit.at))
        for one in begun
        if (stay := one.new.stay).state is StayState.CLOSED and stay.exit is not None
    ]
    return await price_ahead(conn, ended)


def _closed(
    group: Group, stay_id: int, operator_id: int, vehicle_class: str, ends: tuple[datetime, datetime]
) -> ClosedStay:
    return ClosedStay(group.bucket, stay_id, group.card_id, operator_id, group.lot_id, vehicle_class, *ends)


async def _to_insert(conn: Conn, new: Sequence[NewStay]) -> list[StayToInsert]:
    enrolments = await card_service.enrolments(conn, [one.group.card_id for one in new]) if new else {}
    operators = {
        operator_id: await operator_service.get(conn, operator_id)
        for operator_id in sorted({enrolment.operator_id for enrolment in enrolments.values()})
    }
    return [
        StayToInsert(one, enrolment.operator_id, enrolment.vehicle_class, operators[enrolment.operator_id].currency)
        for one in new
        if (enrolment := enrolments[one.group.card_id])
    ]
