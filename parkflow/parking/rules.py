"""What the scans of a card in a lot mean for its stays; pure, the same for any order of arrival.

The core pairs entries with exits. What it cannot know is whether a missing exit may still come: a gate that is offline
uploads it hours later. So an entry that follows another entry is held until every exit gate of the lot has uploaded
past it; only then the earlier stay is without exit for good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parkflow import core
from parkflow.gate.unpaired import AWAITING_ENTRY, AWAITING_EXIT, Group, ScanKey, WaitingScan
from parkflow.kit.ids import derived_id

MISSING_EXIT: Final = "missing_exit"
REPEATED: Final = "repeated"
# As far apart as the core takes two scans of one direction for one passage.
REPEAT_WITHIN: Final = timedelta(seconds=60)
_MILLISECOND: Final = timedelta(milliseconds=1)
_UNIX: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

Event = tuple[int, int, int]
"""(gate, epoch, seq)."""


class StayEnd(NamedTuple):
    """One end of a stay: which event it was and when."""

    event: Event
    at: datetime


class KnownStay(NamedTuple):
    """A stay that exists: the open one, or the last closed one with its exit."""

    stay_id: int
    entry: StayEnd
    exit: StayEnd | None


class NewStay(NamedTuple):
    """A stay that begins to exist: open, or closed, or abandoned for want of an exit."""

    group: Group
    stay_id: int
    entry: StayEnd
    exit: StayEnd | None
    abandoned: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is known of one group.

    recent: the last closed stay, given when a scan may repeat its exit; it ended before every scan.
    complete_to: every exit gate of the lot has uploaded all up to here; None when no gate can bring an exit any more.
    """

    group: Group
    open: KnownStay | None
    recent: KnownStay | None
    scans: Sequence[WaitingScan]
    complete_to: datetime | None


@dataclass(slots=True)
class Outcome:
    """What is to be written, for many groups."""

    new: list[NewStay] = field(default_factory=list)
    closed: list[tuple[Group, int, StayEnd]] = field(default_factory=list)
    abandoned: list[tuple[Group, int]] = field(default_factory=list)
    applied: list[tuple[ScanKey, int]] = field(default_factory=list)
    held: list[tuple[ScanKey, str]] = field(default_factory=list)
    rejected: list[tuple[ScanKey, str]] = field(default_factory=list)


def stay_id(bucket: int, entry: Event) -> int:
    """The id of the stay that an entry begins, the same however often it is worked out."""
    return derived_id(bucket, b"stay", *(number.to_bytes(8, "big") for number in entry))


def pair(timelines: Sequence[Timeline]) -> Outcome:
    """The outcome for all groups. Pairs in the core; call it off the event loop."""
    outcome = Outcome()
    kept = [list(timeline.scans) for timeline in timelines]
    pairings: dict[int, core.Pairing] = {}
    waiting = list(range(len(timelines)))
    # Each round holds at least one scan of each group that goes round again, so the rounds end.
    while waiting:
        groups = [_core_group(timelines[index], kept[index]) for index in waiting]
        pairings |= dict(zip(waiting, core.pair_scans(groups), strict=True))
        again = []
        for index in waiting:
            held = _to_hold(timelines[index], kept[index], pairings[index])
            if held:
                kept[index] = [scan for scan in kept[index] if scan not in held]
                _hold(outcome, held, AWAITING_EXIT)
                again.append(index)
        waiting = again
    for index, pairing in pairings.items():
        _write(outcome, timelines[index], kept[index], pairing)
    return outcome


def _core_group(timeline: Timeline, scans: Sequence[WaitingScan]) -> tuple[core.ScanEvent | None, list[core.ScanEvent]]:
    events = [_scan_event(_event(scan), scan.scanned_at, scan.direction) for scan in scans]
    if timeline.recent is not None and timeline.recent.exit is not None:
        events.append(_scan_event(*timeline.recent.entry, "entry"))
        events.append(_scan_event(*timeline.recent.exit, "exit"))
    return (None if timeline.open is None else _scan_event(*timeline.open.entry, "entry")), events


def _to_hold(timeline: Timeline, scans: Sequence[WaitingScan], pairing: core.Pairing) -> list[WaitingScan]:
    """The scans that must wait because an exit between two entries may still come."""
    opened = None if timeline.open is None else (timeline.open.entry.at, timeline.open.entry.event)
    repeats = {event.event_id for event, _ in pairing.duplicates}
    entries = [_order(scan) for scan in scans if scan.direction == "entry" and _event(scan) not in repeats]
    entries += [opened] if opened else []
    for missing in pairing.missing_exit:
        here = (_instant(missing.at_ms), missing.event_id)
        following = min(entry for entry in entries if entry > here)
        if timeline.complete_to is None or timeline.complete_to >= following[0]:
            continue
        if opened is not None and here < opened:
            # What came after it is a stay already, so the late entry itself waits.
            return [scan for scan in scans if _event(scan) == missing.event_id]
        return [scan for scan in scans if _order(scan) >= following]
    return []


def _write(outcome: Outcome, timeline: Timeline, scans: Sequence[WaitingScan], pairing: core.Pairing) -> None:
    by_event = {_event(scan): scan for scan in scans}
    for entry, leaving in pairing.closed:
        if leaving.event_id not in by_event:
            # The recent stay, which was closed before.
            continue
        _end(outcome, timeline, by_event, entry, leaving)
    for entry in pairing.missing_exit:
        _end(outcome, timeline, by_event, entry, None)
    if pairing.open is not None and pairing.opened:
        _begin(outcome, timeline.group, by_event[pairing.open.event_id])
    _hold(outcome, [by_event[event.event_id] for event in pairing.awaiting_entry], AWAITING_ENTRY)
    repeats = [by_event[event.event_id] for event, _ in pairing.duplicates if event.event_id in by_event]
    outcome.rejected += [(scan.key, REPEATED) for scan in repeats]


def _begin(outcome: Outcome, group: Group, scan: WaitingScan) -> None:
    ident = stay_id(group.bucket, _event(scan))
    entry = StayEnd(_event(scan), scan.scanned_at)
    outcome.new.append(NewStay(group, ident, entry, None, abandoned=False))
    outcome.applied.append((scan.key, ident))


def _end(
    outcome: Outcome,
    timeline: Timeline,
    by_event: Mapping[Event, WaitingScan],
    entry: core.ScanEvent,
    leaving: core.ScanEvent | None,
) -> None:
    """The stay of `entry` ends with an exit, or without one."""
    group, opened = timeline.group, timeline.open
    ident = stay_id(group.bucket, entry.event_id)
    end = None
    if leaving is not None:
        scan = by_event[leaving.event_id]
        end = StayEnd(leaving.event_id, scan.scanned_at)
        outcome.applied.append((scan.key, ident))
    if opened is None or opened.entry.event != entry.event_id:
        begin = by_event[entry.event_id]
        outcome.applied.append((begin.key, ident))
        outcome.new.append(NewStay(group, ident, StayEnd(_event(begin), begin.scanned_at), end, abandoned=end is None))
    elif end is None:
        outcome.abandoned.append((group, ident))
    else:
        outcome.closed.append((group, ident, end))


def _hold(outcome: Outcome, scans: Sequence[WaitingScan], reason: str) -> None:
    outcome.held += [(scan.key, reason) for scan in scans if scan.reason != reason]


def _event(scan: WaitingScan) -> Event:
    return scan.key.gate_id, scan.key.epoch, scan.key.seq


def _order(scan: WaitingScan) -> tuple[datetime, Event]:
    return scan.scanned_at, _event(scan)


def _scan_event(event: Event, at: datetime, direction: str) -> core.ScanEvent:
    return core.ScanEvent(*event, (at - _UNIX) // _MILLISECOND, direction)


def _instant(at_ms: int) -> datetime:
    return _UNIX + at_ms * _MILLISECOND
