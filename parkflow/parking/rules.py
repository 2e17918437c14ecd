"""What the scans of a card in a lot mean for its stays; pure, the same for any order of arrival.

The core pairs entries with exits. What it cannot know is whether a missing exit may still come: a gate that is offline
uploads it hours later. So an entry that follows another entry is held until every exit gate of the lot has uploaded
past it. A scan that arrives late, among stays that exist, is paired together with theirs, and what comes out of it
changes them (`parking/changes.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from parkflow import core
from parkflow.gate.unpaired import Group, PairedScan
from parkflow.kit.ids import derived_id
from parkflow.lot.rules import MissingEntry, MissingExit
from parkflow.parking.doubt import Event, instants
from parkflow.parking.marks import EXITS_WITHOUT_SCAN, NO_MARKS, Mark
from parkflow.parking.state import StayState

# As far apart as the core takes two scans of one direction for one passage.
REPEAT_WITHIN: Final = timedelta(seconds=60)
_MILLISECOND: Final = timedelta(milliseconds=1)
_UNIX: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class StayEnd(NamedTuple):
    """One end of a stay: when it was and which event it was; None where no gate saw it."""

    event: Event | None
    at: datetime


class KnownStay(NamedTuple):
    """A stay that exists, with the scans of its ends where there are any, and what its price depends on besides."""

    stay_id: int
    entry: StayEnd
    exit: StayEnd | None
    state: StayState = StayState.OPEN
    version: int = 0
    marks: frozenset[Mark] = NO_MARKS
    scans: Sequence[PairedScan] = ()
    operator_id: int = 0
    vehicle_class: str = "car"

    @property
    def was_given_up(self) -> bool:
        """Whether its exit was waited for no longer: it has none, or one that was inferred."""
        if self.exit is None:
            return self.state is StayState.ABANDONED
        return self.exit.event is None and bool(self.marks & EXITS_WITHOUT_SCAN)


class Verdict(StrEnum):
    """What a person may decide: of a stay whose exit no gate saw, of an exit without entry, or of any stay's fee."""

    EXIT_AT = "exit_at"
    ENTRY_AT = "entry_at"
    ABANDON = "abandon"
    WAIVE = "waive"
    REJECT = "reject"


class Decision(NamedTuple):
    """A person's decision; what a gate saw counts more, so it means nothing where a scan says otherwise."""

    verdict: Verdict
    at: datetime | None


NO_DECISIONS: Final[Mapping[int | Event, Sequence[Decision]]] = {}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the lot's policy says, and how much is known.

    exits_complete_to: every exit gate has uploaded all up to here; None when no gate can bring an exit any more.
    given_up_before: what is missing to a scan from before this instant is waited for no longer.
    """

    exits_complete_to: datetime | None
    given_up_before: datetime | None = None
    missing_exit: MissingExit = MissingExit.ABANDON
    missing_entry: MissingEntry = MissingEntry.REJECT
    missing_after: timedelta = timedelta(hours=48)
    missing_lasts: timedelta = timedelta(hours=24)

    def has_given_up(self, at: datetime) -> bool:
        """Whether what is missing to a scan of this instant is waited for no longer."""
        return self.given_up_before is not None and at < self.given_up_before


class Timeline(NamedTuple):
    """What is known of one group.

    stays: those that a scan may change, in order of entry. scans: those that wait, and those put aside that may count
    after all; the scans of the stays are with these. decisions: by stay id or event, the last one last.
    """

    group: Group
    stays: Sequence[KnownStay]
    scans: Sequence[PairedScan]
    terms: Terms
    decisions: Mapping[int | Event, Sequence[Decision]] = NO_DECISIONS

    def decided(self, subject: int | Event, *verdicts: Verdict) -> Decision | None:
        """The last decision of these kinds on a stay or a scan."""
        found = self.decisions.get(subject)
        if not found:
            return None
        return next((one for one in reversed(found) if one.verdict in verdicts), None)


def stay_id(bucket: int, entry: Event) -> int:
    """The id of the stay that an entry begins, the same however often it is worked out."""
    return derived_id(bucket, b"stay", *(number.to_bytes(8, "big") for number in entry))


def stay_id_of_exit(bucket: int, leaving: Event) -> int:
    """The id of the stay that ended with this exit and of whose entry nothing is known."""
    return derived_id(bucket, b"stay of exit", *(number.to_bytes(8, "big") for number in leaving))


class Walk:
    """The pairing of one group: which scans take part, and what came out for those."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        scans = [scan for stay in timeline.stays for scan in stay.scans]
        scans += timeline.scans
        rejected = {subject for subject in timeline.decisions if timeline.decided(subject, Verdict.REJECT)}
        self.refused = [scan for scan in timeline.scans if scan.event in rejected] if rejected else []
        self.scans: dict[Event, PairedScan] = {scan.event: scan for scan in scans if scan.event not in rejected}
        self.instants = instants(list(self.scans.values()))
        self.held: list[PairedScan] = []
        self.sealed: list[KnownStay] = []
        self.pairing: core.Pairing

    def core_group(self) -> tuple[None, list[core.ScanEvent]]:
        """The scans as the core takes them."""
        return None, [
            core.ScanEvent(*event, (self.instants[event] - _UNIX) // _MILLISECOND, scan.direction)
            for event, scan in self.scans.items()
        ]

    def has_more_to_set_aside(self) -> bool:
        """Take out of the walk what must not be decided by it now; whether there was anything."""
        aside = self._too_late_for() or self._to_hold()
        for scan in aside:
            del self.scans[scan.event]
        return bool(aside)

    def order(self, event: Event) -> tuple[datetime, Event]:
        """Sorts events as the core does."""
        return self.instants[event], event

    def _too_late_for(self) -> list[PairedScan]:
        """The entry of a stay that was given up, when the exit that would be its own came after the hours of policy."""
        given_up = {stay.entry.event: stay for stay in self.timeline.stays if stay.was_given_up}
        if not given_up:
            return []
        for entry, leaving in self.pairing.closed:
            stay = given_up.get(entry.event_id)
            if stay is None:
                continue
            if self.scans[leaving.event_id].at > stay.entry.at + self.timeline.terms.missing_after:
                self.sealed.append(stay)
                return [self.scans[entry.event_id]]
        return []

    def _to_hold(self) -> list[PairedScan]:
        """The scans that must wait because an exit between two entries may still come."""
        if not self.pairing.missing_exit:
            return []
        complete_to = self.timeline.terms.exits_complete_to
        repeats = {event.event_id for event, _ in self.pairing.duplicates}
        entries = sorted(
            self.order(event)
            for event, scan in self.scans.items()
            if scan.direction == "entry" and event not in repeats
        )
        decided = {
            stay.entry.event for stay in self.timeline.stays if stay.was_given_up or stay.state is StayState.HELD
        }
        for missing in self.pairing.missing_exit:
            here = self.order(missing.event_id)
            following = next(entry for entry in entries if entry > here)
            if complete_to is None or complete_to >= following[0] or missing.event_id in decided:
                continue
            aside = self._unplaced_from(following) if self.scans[following[1]].waits else self._waiting_at(here)
            if aside:
                self.held += [scan for scan in aside if scan.waits]
                return aside
        return []

    def _unplaced_from(self, following: tuple[datetime, Event]) -> list[PairedScan]:
        # What counts for nothing may do so because of what is held now: it is not looked at, and stays as it is.
        return [
            scan for event, scan in self.scans.items() if scan.state != "applied" and self.order(event) >= following
        ]

    def _waiting_at(self, here: tuple[datetime, Event]) -> list[PairedScan]:
        # What came after it is a stay already, so the late entry itself waits.
        scan = self.scans[here[1]]
        return [scan] if scan.waits else []


def pair(timelines: Sequence[Timeline]) -> list[Walk]:
    """The pairing of all groups. Pairs in the core; call it off the event loop."""
    walks = [Walk(timeline) for timeline in timelines]
    unsettled = walks
    # Each round takes at least one scan of each group that goes round again out of it, so the rounds end.
    while unsettled:
        for walk, pairing in zip(unsettled, core.pair_scans([one.core_group() for one in unsettled]), strict=True):
            walk.pairing = pairing
        unsettled = [walk for walk in unsettled if walk.has_more_to_set_aside()]
    return walks
