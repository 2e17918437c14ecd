"""The rows of one group as the stores keep them, in memory, for tests of the pure rules of pairing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from parkflow.gate.unpaired import Group, PairedScan, ScanKey
from parkflow.parking import changes, picture
from parkflow.parking.marks import Mark
from parkflow.parking.rules import REPEAT_WITHIN, Decision, KnownStay, StayEnd, Terms, Timeline, pair
from parkflow.parking.state import StayState

GROUP = Group(7, 70, 700)
NOON = datetime(2017, 10, 20, 16, tzinfo=UTC)
FOREVER = NOON + timedelta(days=365)
NO_TIME = timedelta()
# (entry, exit, state, marks)
Stays = set[tuple[datetime, datetime | None, str, frozenset[str]]]


def scan(gate: int, seq: int, at: datetime, direction: str) -> PairedScan:
    return PairedScan(ScanKey(GROUP.bucket, gate, 1, seq), GROUP, direction, at, "received", None)


@dataclass
class Book:
    """Scans and stays of one group; a priced stay is one that is closed."""

    scans: dict[ScanKey, PairedScan] = field(default_factory=dict)
    stays: dict[int, KnownStay] = field(default_factory=dict)
    decisions: dict[object, list[Decision]] = field(default_factory=dict)

    def arrive(self, *arrived: PairedScan) -> None:
        """Scans that were here before change nothing."""
        for one in arrived:
            self.scans.setdefault(one.key, one)

    def apply(self, terms: Terms, *, since: datetime | None = None) -> int:
        """One pass; how many rows it changed."""
        waiting = [one for one in self.scans.values() if one.waits]
        first = min([one.first_at for one in waiting] + ([since] if since else []), default=FOREVER)
        aside = [
            one
            for one in self.scans.values()
            if one.state == "rejected" and one.at >= first - (REPEAT_WITHIN if one.reason != "repeated" else NO_TIME)
        ]
        with_end = any(one.direction == "exit" and terms.has_given_up(one.at) for one in waiting)
        timeline = Timeline(GROUP, self._window(first, with_end=with_end), [*waiting, *aside], terms, self.decisions)  # type: ignore[arg-type]
        [walk] = pair([timeline])
        outcome = changes.all_changes([(timeline, picture.draw(walk))])
        self._write(outcome)
        rows = (outcome.new, outcome.closed, outcome.changed, outcome.applied, outcome.held, outcome.rejected)
        return sum(len(some) for some in rows)

    def told(self) -> Stays:
        """What the stays are; void ones are none."""
        return {
            (one.entry.at, one.exit.at if one.exit else None, one.state, frozenset(one.marks))
            for one in self.stays.values()
            if one.state is not StayState.VOID
        }

    def places(self) -> dict[ScanKey, tuple[str, str | None, int | None]]:
        """Where each scan is."""
        return {key: (one.state, one.reason, one.stay_id) for key, one in self.scans.items()}

    def _window(self, first: datetime, *, with_end: bool) -> list[KnownStay]:
        """As the query does it."""
        before = [
            one.entry.at
            for one in self.stays.values()
            if one.entry.at < first
            and one.entry.event is not None
            and one.state is not StayState.VOID
            and Mark.CLOCK_DOUBT not in one.marks
        ]
        begin = max(before, default=datetime.min.replace(tzinfo=UTC))
        found = []
        for one in self.stays.values():
            near = (
                Mark.CLOCK_DOUBT in one.marks
                or one.exit is None
                or one.exit.event is None
                or one.exit.at >= first - REPEAT_WITHIN
            )
            if one.entry.at >= begin and (near or one.entry.at >= first or with_end):
                found.append(one._replace(scans=self._scans_of(one)))
        return sorted(found, key=lambda one: (one.entry.at, one.stay_id))

    def _scans_of(self, stay: KnownStay) -> list[PairedScan]:
        events = {end.event for end in (stay.entry, stay.exit) if end is not None}
        return [one for one in self.scans.values() if one.event in events and one.stay_id == stay.stay_id]

    def _write(self, outcome: changes.Outcome) -> None:
        for closed in outcome.closed:
            was = self.stays[closed.stay_id]
            assert was.state is StayState.OPEN
            self._put(was._replace(exit=closed.exit, state=StayState.CLOSED, marks=closed.marks))
        for change in outcome.changed:
            self._put(_stay(change.stay))
        for new in outcome.new:
            assert new.stay.stay_id not in self.stays
            self._put(_stay(new.stay))
        for key, stay_id in outcome.applied:
            self.scans[key] = self.scans[key]._replace(state="applied", reason=None, stay_id=stay_id)
        for key, reason in outcome.held:
            self.scans[key] = self.scans[key]._replace(state="held", reason=reason, stay_id=None)
        for key, reason in outcome.rejected:
            self.scans[key] = self.scans[key]._replace(state="rejected", reason=reason, stay_id=None)
        self._check()

    def _put(self, stay: KnownStay) -> None:
        self.stays[stay.stay_id] = stay

    def _check(self) -> None:
        """What must hold after every pass."""
        real = sorted(
            (one for one in self.stays.values() if one.state is not StayState.VOID), key=lambda one: one.entry.at
        )
        assert sum(one.state is StayState.OPEN for one in real) <= 1, "one stay is open at a time"
        for one, following in pairwise(real):
            if one.exit is not None:
                assert one.entry.at <= one.exit.at <= following.entry.at, "stays do not overlap"
        for applied in self.scans.values():
            if applied.state == "applied":
                stay = self.stays[applied.stay_id or 0]
                assert applied.event in {end.event for end in (stay.entry, stay.exit) if end}, (
                    "an applied scan is an end"
                )


def _stay(stay: picture.PlannedStay) -> KnownStay:
    return KnownStay(stay.stay_id, stay.entry, stay.exit, stay.state, 0, stay.marks)


def whole(scans: Sequence[PairedScan], terms: Terms) -> Book:
    """What the scans give when all come at once, in order, and nothing is to come."""
    book = Book()
    book.arrive(*scans)
    book.apply(terms)
    return book


__all__ = ["FOREVER", "GROUP", "NOON", "Book", "StayEnd", "Stays", "scan", "whole"]
