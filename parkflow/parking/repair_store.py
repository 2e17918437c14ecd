"""The rows of stays as pairing reads them, and as repairs change them."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.gate.unpaired import Group, PairedScan, ScanKey
from parkflow.kit.ids import bucket_of
from parkflow.parking.changes import Change
from parkflow.parking.doubt import Event
from parkflow.parking.marks import NO_MARKS, Mark, Repair
from parkflow.parking.rules import Decision, KnownStay, StayEnd, Verdict
from parkflow.parking.state import STAY, StayEvent, StayState
from parkflow.parking.store import ClosedStay, end_columns

_SQL: Final = load(__file__, "repairs.sql")


Subject = int | Event
"""What a decision is about: a stay's id, or a scan's event."""


class StoredDecision(NamedTuple):
    """A person's decision with its key; `subject` is the stay's id or the scan's event."""

    group: Group
    key: tuple[int, int, int]
    subject: Subject
    about_at: datetime
    decision: Decision
    is_new: bool


class SettledStay(NamedTuple):
    """A priced stay, by which tariff and in which version."""

    stay: ClosedStay
    sha256: bytes
    version: int

    @property
    def card(self) -> tuple[int, int]:
        return self.stay.bucket, self.stay.card_id

    @property
    def exit_at(self) -> datetime:
        return self.stay.exit_at


class Overtaken(Exception):
    """Somebody else has changed one of the stays meanwhile; the pass is given up and the next one sees it."""


async def stays_to_pair(
    conn: Conn, since: Mapping[Group, datetime], *, with_end: Container[Group]
) -> dict[Group, list[KnownStay]]:
    """The stays that scans from an instant on (per group) may change, in order of entry.

    with_end: groups in which it matters when the stay before ended.
    """
    groups = list(since)
    found = await conn.fetch(
        _SQL.stays_to_pair,
        *_group_columns(groups),
        [since[group] for group in groups],
        [group in with_end for group in groups],
    )
    stays: dict[Group, list[KnownStay]] = {}
    for row in found:
        stays.setdefault(_group(row), []).append(_known(row))
    return stays


async def groups_given_up(
    conn: Conn, *, owner: str, buckets: Sequence[int], limits: Mapping[int, datetime]
) -> list[Group]:
    """Groups with a stay that is open, per lot those that began before its limit."""
    found = await conn.fetch(_SQL.groups_given_up, owner, list(buckets), list(limits), list(limits.values()))
    return [_group(row) for row in found]


async def lots_with_open_stays(conn: Conn, buckets: Sequence[int]) -> set[int]:
    return {row["lot_id"] for row in await conn.fetch(_SQL.lots_with_open_stays, list(buckets))}


async def groups_decided(conn: Conn, *, owner: str, buckets: Sequence[int]) -> list[Group]:
    """Groups of which a person decided something that is not carried out."""
    return [_group(row) for row in await conn.fetch(_SQL.groups_decided, owner, list(buckets))]


async def decisions(conn: Conn, groups: Sequence[Group]) -> list[StoredDecision]:
    """All decisions in these groups, those on one subject in their order."""
    return [
        StoredDecision(
            _group(row),
            (row["bucket"], row["subject_id"], row["number"]),
            row["stay_id"] if row["gate_id"] is None else (row["gate_id"], row["epoch"], row["seq"]),
            row["about_at"],
            Decision(Verdict(row["verdict"]), row["at"]),
            row["is_new"],
        )
        for row in await conn.fetch(_SQL.decisions, *_group_columns(groups))
    ]


async def note_applied(conn: Conn, applied: Sequence[StoredDecision], now: datetime) -> None:
    """These decisions have been carried out, as far as scans left them a meaning."""
    if applied:
        columns = [[one.key[place] for one in applied] for place in range(3)]
        await conn.execute(_SQL.note_applied, now, *columns)


async def change_stays(conn: Conn, owner: str, changed: Sequence[Change], now: datetime) -> None:
    """Make stays what they should be, keeping what those that were over have been. Raises Overtaken."""
    if not changed:
        return
    corrected = [one for one in changed if one.repair is not None]
    if corrected:
        await conn.execute(_SQL.record_corrections, owner, now, *_keys(corrected), [one.repair for one in corrected])
    entries, exits = [one.stay.entry for one in changed], [one.stay.exit for one in changed]
    done = await conn.fetch(
        _SQL.change_stays,
        owner,
        *_keys(changed),
        *end_columns(entries),
        *end_columns(exits),
        [one.stay.state for one in changed],
        [one.stay.reason for one in changed],
        [",".join(sorted(one.stay.marks)) for one in changed],
        [one.repair is not None for one in changed],
        [_loses_fee(one) for one in changed],
        [",".join(sorted(_sources(one))) for one in changed],
    )
    if len(done) != len(changed):
        raise Overtaken


async def tariffs_before(conn: Conn, stay_ids: Sequence[int]) -> dict[int, bytes]:
    """By which tariff these stays were priced before they were corrected now; those that were not are not in it."""
    found = await conn.fetch(_SQL.tariffs_before, [bucket_of(one) for one in stay_ids], list(stay_ids))
    return {row["stay_id"]: row["was_tariff_sha256"] for row in found}


async def priced_stays(conn: Conn, since: Mapping[tuple[int, int], datetime]) -> list[SettledStay]:
    """The priced stays of cards (bucket, card id) that ended from an instant on, in order of exit, then id."""
    cards = list(since)
    found = await conn.fetch(
        _SQL.priced_of_cards, [one[0] for one in cards], [one[1] for one in cards], [since[one] for one in cards]
    )
    stays = []
    for row in found:
        columns = dict(row.items())
        sha256, version = columns.pop("tariff_sha256"), columns.pop("version")
        stays.append(SettledStay(ClosedStay(**columns), sha256, version))
    return stays


async def reopen_stays(conn: Conn, owner: str, stays: Sequence[SettledStay], now: datetime) -> None:
    """Priced stays lose their price, to be priced again with their account. Raises Overtaken."""
    if not stays:
        return
    keys = [one.stay.bucket for one in stays], [one.stay.stay_id for one in stays], [one.version for one in stays]
    await conn.execute(_SQL.record_corrections, owner, now, *keys, [Repair.ACCOUNT_RESETTLED] * len(stays))
    if len(await conn.fetch(_SQL.reopen_stays, owner, *keys)) != len(stays):
        raise Overtaken


def _sources(change: Change) -> frozenset[StayState]:
    """The states from which the machine lets a stay come to what it should be."""
    if change.was.state is change.stay.state and change.repair is None:
        return frozenset({change.was.state})
    match change.stay.state:
        case StayState.OPEN | StayState.PRICED:
            return frozenset({change.stay.state})
        case StayState.HELD:
            return STAY.sources(StayEvent.HOLD)
        case StayState.CLOSED:
            return STAY.sources(StayEvent.CLOSE) | STAY.sources(StayEvent.CORRECT)
        case StayState.ABANDONED:
            return STAY.sources(StayEvent.ABANDON)
        case StayState.WAIVED:
            return STAY.sources(StayEvent.WAIVE) | {StayState.WAIVED}
        case StayState.VOID:
            return STAY.sources(StayEvent.DISSOLVE)


def _loses_fee(change: Change) -> bool:
    """A fee is that of its ends; what is waived keeps it, so that people see what was waived."""
    same_ends = change.was.entry == change.stay.entry and change.was.exit == change.stay.exit
    return not (change.stay.state in (StayState.PRICED, StayState.WAIVED) and same_ends)


def _known(row: Row) -> KnownStay:
    entry = _end(row, "entry")
    assert entry is not None, "a stay has a beginning"
    leaving = _end(row, "exit")
    scans = [scan for scan in (_scan(row, "entry", entry), _scan(row, "exit", leaving)) if scan is not None]
    marks = frozenset(map(Mark, row["marks"])) if row["marks"] else NO_MARKS
    about = row["operator_id"], row["vehicle_class"]
    return KnownStay(row["stay_id"], entry, leaving, StayState(row["state"]), row["version"], marks, scans, *about)


def _end(row: Row, which: str) -> StayEnd | None:
    at, gate_id = row[f"{which}_at"], row[f"{which}_gate_id"]
    if at is None:
        return None
    return StayEnd(None if gate_id is None else (gate_id, row[f"{which}_epoch"], row[f"{which}_seq"]), at)


def _scan(row: Row, which: str, end: StayEnd | None) -> PairedScan | None:
    """The scan of an end, if a gate saw it. A void stay has none: its scans are elsewhere."""
    if end is None or end.event is None or row["state"] == StayState.VOID:
        return None
    return PairedScan(
        ScanKey(row["bucket"], *end.event),
        _group(row),
        which,
        row[f"{which}_scanned_at"] or end.at,
        "applied",
        None,
        row[f"{which}_medium"] or "code",
        row[f"{which}_earliest_at"],
        row[f"{which}_latest_at"],
        row["stay_id"],
    )


def _group(row: Row) -> Group:
    return Group(row["bucket"], row["card_id"], row["lot_id"])


def _keys(changed: Sequence[Change]) -> tuple[list[int], list[int], list[int]]:
    return (
        [one.group.bucket for one in changed],
        [one.was.stay_id for one in changed],
        [one.was.version for one in changed],
    )


def _group_columns(groups: Sequence[Group]) -> tuple[list[int], list[int], list[int]]:
    return [one.bucket for one in groups], [one.card_id for one in groups], [one.lot_id for one in groups]
