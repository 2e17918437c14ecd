"""From what is to what should be: the rows that make the stays and scans of a group those of its picture; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from parkflow.gate.unpaired import Group, PairedScan, ScanKey
from parkflow.parking.marks import Mark, Repair
from parkflow.parking.picture import Picture, PlannedStay
from parkflow.parking.rules import KnownStay, StayEnd, Timeline, Verdict
from parkflow.parking.state import StayState

# Whoever has one of these has been over: another end of it is a correction.
_OVER: Final = frozenset({StayState.CLOSED, StayState.PRICED, StayState.ABANDONED, StayState.WAIVED, StayState.VOID})


class NewStay(NamedTuple):
    """A stay that begins to exist."""

    group: Group
    stay: PlannedStay


class ClosedStay(NamedTuple):
    """The common case: an open stay meets its exit."""

    group: Group
    was: KnownStay
    exit: StayEnd
    marks: frozenset[Mark]

    @property
    def stay_id(self) -> int:
        return self.was.stay_id


class Change(NamedTuple):
    """A stay that becomes another one; `repair` says why, where it had been over. was: as it is now."""

    group: Group
    was: KnownStay
    stay: PlannedStay
    repair: Repair | None


@dataclass(slots=True)
class Outcome:
    """What is to be written, for many groups."""

    new: list[NewStay] = field(default_factory=list)
    closed: list[ClosedStay] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    applied: list[tuple[ScanKey, int]] = field(default_factory=list)
    held: list[tuple[ScanKey, str]] = field(default_factory=list)
    rejected: list[tuple[ScanKey, str]] = field(default_factory=list)


def add(outcome: Outcome, timeline: Timeline, picture: Picture) -> None:
    """Add what one group needs."""
    known = {stay.stay_id: stay for stay in timeline.stays}
    for stay in picture.stays:
        was = known.pop(stay.stay_id, None)
        if was is None:
            outcome.new.append(NewStay(timeline.group, stay))
        else:
            _compare(outcome, timeline, was, stay)
    for was in known.values():
        if was.state is not StayState.VOID:
            outcome.changed.append(_dissolved(timeline.group, was))
    _place_scans(outcome, picture)


def _compare(outcome: Outcome, timeline: Timeline, was: KnownStay, stay: PlannedStay) -> None:
    same_ends = was.entry == stay.entry and was.exit == stay.exit
    same_state = was.state is stay.state or (was.state is StayState.PRICED and stay.state is StayState.CLOSED)
    if same_ends and same_state and was.marks == stay.marks:
        return
    is_usual = was.state is StayState.OPEN and stay.state is StayState.CLOSED and was.entry == stay.entry
    if is_usual and stay.exit is not None:
        outcome.closed.append(ClosedStay(timeline.group, was, stay.exit, stay.marks))
        return
    repair = None
    if was.state in _OVER and not (same_ends and same_state):
        repair = _repair(timeline, was, stay)
    if repair is None and was.state is StayState.PRICED:
        # Nothing of what the fee depends on has changed.
        stay = stay._replace(state=StayState.PRICED)
    outcome.changed.append(Change(timeline.group, was, stay, repair))


def _repair(timeline: Timeline, was: KnownStay, stay: PlannedStay) -> Repair:
    """Why a stay that was over is another one now."""
    decided = timeline.decided(stay.stay_id, *Verdict)
    if was.state is StayState.VOID:
        return Repair.STAY_REVIVED
    if stay.exit is not None and stay.exit.event is not None:
        had_exit = was.exit is not None and was.exit.event is not None
        return Repair.EXIT_REPLACED if had_exit else Repair.EXIT_ARRIVED
    if decided is not None and stay.state in (StayState.WAIVED, StayState.ABANDONED):
        return Repair.DECIDED
    if Mark.EXIT_BY_OPERATOR in stay.marks:
        return Repair.DECIDED
    if was.exit is not None and was.exit.event is not None:
        return Repair.EXIT_REASSIGNED
    return Repair.EXIT_BOUND_MOVED


def _dissolved(group: Group, was: KnownStay) -> Change:
    """It was no stay: its entry repeats an earlier one, or its exit has found the entry that was missing."""
    repair = None
    if was.state in _OVER:
        repair = Repair.ENTRY_ARRIVED if was.entry.event is None else Repair.ENTRY_REPEATED
    # Without a scan of its beginning it is found again by that of its end.
    entry = was.entry if was.entry.event is not None or was.exit is None else StayEnd(None, was.exit.at)
    stay = PlannedStay(was.stay_id, entry, was.exit, StayState.VOID, was.marks, repair or Repair.ENTRY_REPEATED)
    return Change(group, was, stay, repair)


def _place_scans(outcome: Outcome, picture: Picture) -> None:
    outcome.applied += [
        (scan.key, ident) for scan, ident in picture.applied if scan.state != "applied" or scan.stay_id != ident
    ]
    outcome.held += [(scan.key, why) for scan, why in picture.held if not _is(scan, "held", why)]
    outcome.rejected += [(scan.key, why) for scan, why in picture.rejected if not _is(scan, "rejected", why)]


def _is(scan: PairedScan, state: str, reason: str) -> bool:
    return scan.state == state and scan.reason == reason


def all_changes(drawn: Sequence[tuple[Timeline, Picture]]) -> Outcome:
    """What all groups need."""
    outcome = Outcome()
    for timeline, picture in drawn:
        add(outcome, timeline, picture)
    return outcome
