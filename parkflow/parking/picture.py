"""The stays that the scans of a group make, and the place of each scan; pure.

Where an end is missing and is waited for no longer, a person's decision counts, and without one the lot's policy.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, assert_never

from parkflow import core
from parkflow.gate.unpaired import (
    AWAITING_ENTRY,
    AWAITING_EXIT,
    AWAITING_OPERATOR,
    MISSING_ENTRY,
    REJECTED_BY_OPERATOR,
    REPEATED,
    PairedScan,
)
from parkflow.lot.rules import MissingEntry, MissingExit
from parkflow.parking.doubt import span
from parkflow.parking.marks import NO_MARKS, Mark
from parkflow.parking.rules import Decision, KnownStay, StayEnd, Verdict, Walk, stay_id, stay_id_of_exit
from parkflow.parking.state import StayState

_LONG_AGO: Final = datetime.fromisoformat("0001-01-01T00:00:00+00:00")


class PlannedStay(NamedTuple):
    """A stay as it should be; `reason` is why it has no fee, where it has none."""

    stay_id: int
    entry: StayEnd
    exit: StayEnd | None
    state: StayState
    marks: frozenset[Mark]
    reason: str | None = None


@dataclass(slots=True)
class Picture:
    """What a group comes to: its stays, and the place of every scan that took part."""

    stays: list[PlannedStay] = field(default_factory=list)
    applied: list[tuple[PairedScan, int]] = field(default_factory=list)
    held: list[tuple[PairedScan, str]] = field(default_factory=list)
    rejected: list[tuple[PairedScan, str]] = field(default_factory=list)


class _Part(NamedTuple):
    """An entry with its exit, or one of both alone."""

    entry: PairedScan | None
    exit: PairedScan | None


def draw(walk: Walk) -> Picture:
    """The picture of one group whose pairing is settled."""
    picture = Picture()
    picture.held += [(scan, AWAITING_EXIT) for scan in walk.held]
    picture.rejected += [(scan, REJECTED_BY_OPERATOR) for scan in walk.refused]
    picture.rejected += [(walk.scans[event.event_id], REPEATED) for event, _ in walk.pairing.duplicates]
    for stay in walk.sealed:
        picture.stays.append(_as_known(stay))
    _Painter(walk, picture, _parts(walk)).paint()
    return picture


def _parts(walk: Walk) -> list[_Part]:
    """What the core found, in order of time."""
    found = walk.pairing
    parts = [_Part(walk.scans[entry.event_id], walk.scans[leaving.event_id]) for entry, leaving in found.closed]
    lonely: list[core.ScanEvent] = [*found.missing_exit, *([found.open] if found.open is not None else [])]
    parts += [_Part(walk.scans[entry.event_id], None) for entry in lonely]
    parts += [_Part(None, walk.scans[leaving.event_id]) for leaving in found.awaiting_entry]
    if len(parts) > 1:
        parts.sort(key=lambda part: walk.order((part.entry or part.exit).event))  # type: ignore[union-attr]
    return parts


class _Painter:
    """Goes through the parts in order of time, and knows where the one before ended."""

    def __init__(self, walk: Walk, picture: Picture, parts: list[_Part]) -> None:
        self._walk, self._picture, self._parts = walk, picture, parts
        self._timeline, self._terms = walk.timeline, walk.timeline.terms
        self._ended_at = _LONG_AGO

    def paint(self) -> None:
        entered_before = self._is_double_before()
        for place, (entry, leaving) in enumerate(self._parts):
            if entry is None:
                assert leaving is not None, "a part has at least one end"
                self._exit_alone(leaving)
                entered_before = False
                continue
            marks = frozenset({Mark.DOUBLE_ENTRY}) if entered_before else NO_MARKS
            entered_before = leaving is None
            if leaving is None:
                self._entry_alone(entry, marks, self._following_entry(place))
            else:
                self._whole(entry, leaving, marks)

    def _is_double_before(self) -> bool:
        """Whether an entry without exit came before all that is looked at: then the first stay was marked so."""
        first = self._parts[0].entry if self._parts else None
        return first is not None and any(
            stay.entry.event == first.event and Mark.DOUBLE_ENTRY in stay.marks for stay in self._timeline.stays
        )

    def _whole(self, entry: PairedScan, leaving: PairedScan, marks: frozenset[Mark]) -> None:
        entry_at, exit_at = span(entry, leaving)
        if entry.is_doubtful or leaving.is_doubtful:
            marks |= {Mark.CLOCK_DOUBT}
        if entry.medium != leaving.medium:
            marks |= {Mark.CROSS_MEDIUM}
        ident = stay_id(self._timeline.group.bucket, entry.event)
        ends = StayEnd(entry.event, entry_at), StayEnd(leaving.event, exit_at)
        self._add(PlannedStay(ident, *ends, StayState.CLOSED, marks))
        self._picture.applied += [(entry, ident), (leaving, ident)]

    def _entry_alone(self, entry: PairedScan, marks: frozenset[Mark], following: datetime | None) -> None:
        if entry.is_doubtful:
            marks |= {Mark.CLOCK_DOUBT}
        ident = stay_id(self._timeline.group.bucket, entry.event)
        begun = PlannedStay(ident, StayEnd(entry.event, entry.at), None, StayState.OPEN, marks)
        decided = self._timeline.decided(ident, Verdict.EXIT_AT, Verdict.ABANDON)
        if decided is not None:
            begun = _decided(begun, decided, following)
        elif following is not None or self._is_given_up(ident, entry):
            begun = self._without_exit(begun, following)
        self._add(begun)
        self._picture.applied.append((entry, ident))

    def _is_given_up(self, ident: int, entry: PairedScan) -> bool:
        """Once given up, a stay stays so until its exit comes, whatever is known of uploads later."""
        before = any(
            stay.stay_id == ident and (stay.was_given_up or stay.state is StayState.HELD)
            for stay in self._timeline.stays
        )
        return before or self._terms.has_given_up(entry.at)

    def _without_exit(self, begun: PlannedStay, following: datetime | None) -> PlannedStay:
        entered_at, marks = begun.entry.at, begun.marks | {Mark.MISSING_EXIT}
        abandoned = begun._replace(state=StayState.ABANDONED, marks=marks, reason=Mark.MISSING_EXIT)
        match self._terms.missing_exit:
            case MissingExit.ABANDON:
                return abandoned
            case MissingExit.NEXT_ENTRY:
                if following is None or following > entered_at + self._terms.missing_after:
                    return abandoned
                return _closed(begun, max(following, entered_at), marks | {Mark.EXIT_FROM_NEXT_ENTRY})
            case MissingExit.MAXIMUM:
                lasted_to = entered_at + self._terms.missing_lasts
                if following is not None:
                    lasted_to = max(entered_at, min(lasted_to, following))
                return _closed(begun, lasted_to, marks | {Mark.EXIT_AT_MAXIMUM})
            case MissingExit.OPERATOR:
                return abandoned._replace(state=StayState.HELD)
            case _:
                assert_never(self._terms.missing_exit)

    def _exit_alone(self, leaving: PairedScan) -> None:
        decided = self._timeline.decided(leaving.event, Verdict.ENTRY_AT)
        given_up = leaving.reason in (MISSING_ENTRY, AWAITING_OPERATOR) or self._terms.has_given_up(leaving.at)
        # The stay that it was made the end of for want of an entry has gone that way already.
        ident = stay_id_of_exit(self._timeline.group.bucket, leaving.event)
        given_up = given_up or leaving.stay_id == ident
        if decided is not None and decided.at is not None:
            self._without_entry(leaving, decided.at, Mark.ENTRY_BY_OPERATOR)
        elif not given_up:
            self._picture.held.append((leaving, AWAITING_ENTRY))
        else:
            self._give_up_exit(leaving)

    def _give_up_exit(self, leaving: PairedScan) -> None:
        match self._terms.missing_entry:
            case MissingEntry.REJECT:
                self._picture.rejected.append((leaving, MISSING_ENTRY))
            case MissingEntry.MAXIMUM:
                self._without_entry(leaving, leaving.at - self._terms.missing_lasts, Mark.ENTRY_AT_MAXIMUM)
            case MissingEntry.OPERATOR:
                self._picture.held.append((leaving, AWAITING_OPERATOR))
            case _:
                assert_never(self._terms.missing_entry)

    def _without_entry(self, leaving: PairedScan, entered_at: datetime, mark: Mark) -> None:
        # The card was elsewhere, or in another stay, until the one before ended.
        ended = [end.at for stay in self._walk.sealed if (end := stay.exit or stay.entry).at <= leaving.at]
        entered_at = min(leaving.at, max(entered_at, self._ended_at, *ended))
        if self._ended_at == _LONG_AGO:
            # Nothing of what was before is looked at, so nothing of it has changed.
            entered_at = max(entered_at, self._known_entry(leaving))
        marks = frozenset({mark, *([Mark.CLOCK_DOUBT] if leaving.is_doubtful else [])})
        ident = stay_id_of_exit(self._timeline.group.bucket, leaving.event)
        ends = StayEnd(None, entered_at), StayEnd(leaving.event, leaving.at)
        self._add(PlannedStay(ident, *ends, StayState.CLOSED, marks))
        self._picture.applied.append((leaving, ident))

    def _known_entry(self, leaving: PairedScan) -> datetime:
        """Where the stay of an exit without entry was found to begin before, if it was."""
        ident = stay_id_of_exit(self._timeline.group.bucket, leaving.event)
        known = (stay for stay in self._timeline.stays if stay.stay_id == ident and stay.state is not StayState.VOID)
        return next((stay.entry.at for stay in known), _LONG_AGO)

    def _add(self, stay: PlannedStay) -> None:
        self._picture.stays.append(self._unless_waived(stay))
        self._ended_at = stay.entry.at if stay.exit is None else stay.exit.at

    def _unless_waived(self, stay: PlannedStay) -> PlannedStay:
        if stay.state is StayState.OPEN or self._timeline.decided(stay.stay_id, Verdict.WAIVE) is None:
            return stay
        marks = stay.marks | {Mark.WAIVED_BY_OPERATOR}
        return stay._replace(state=StayState.WAIVED, marks=marks, reason=Mark.WAIVED_BY_OPERATOR)

    def _following_entry(self, place: int) -> datetime | None:
        return next((part.entry.at for part in self._parts[place + 1 :] if part.entry is not None), None)


def _decided(begun: PlannedStay, decided: Decision, following: datetime | None) -> PlannedStay:
    marks = begun.marks | {Mark.MISSING_EXIT}
    if decided.at is None:
        marks |= {Mark.ABANDONED_BY_OPERATOR}
        return begun._replace(state=StayState.ABANDONED, marks=marks, reason=Mark.ABANDONED_BY_OPERATOR)
    exit_at = decided.at if following is None else min(decided.at, following)
    return _closed(begun, max(exit_at, begun.entry.at), marks | {Mark.EXIT_BY_OPERATOR})


def _closed(begun: PlannedStay, exit_at: datetime, marks: frozenset[Mark]) -> PlannedStay:
    return begun._replace(exit=StayEnd(None, exit_at), state=StayState.CLOSED, marks=marks)


def _as_known(stay: KnownStay) -> PlannedStay:
    return PlannedStay(stay.stay_id, stay.entry, stay.exit, stay.state, stay.marks)
