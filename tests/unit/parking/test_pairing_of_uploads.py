"""Whatever the uploads' order, the stays are those that the whole journal would have given at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from parkflow.gate.unpaired import Group, ScanKey, WaitingScan
from parkflow.parking.rules import REPEAT_WITHIN, KnownStay, StayEnd, Timeline, pair

GROUP = Group(7, 70, 700)
NOON = datetime(2017, 10, 20, 16, tzinfo=UTC)
ENTRY, EXIT = 1, 2
FOREVER = NOON + timedelta(days=365)

Stays = set[tuple[datetime, datetime | None, bool]]


def scan(gate: int, seq: int, minute: int) -> WaitingScan:
    direction = "entry" if gate == ENTRY else "exit"
    return WaitingScan(
        ScanKey(GROUP.bucket, gate, 1, seq), GROUP, 5, direction, NOON + timedelta(minutes=minute), "received", None
    )


@dataclass
class Book:
    """The rows of one group, written as the store writes them."""

    waiting: dict[ScanKey, WaitingScan] = field(default_factory=dict)
    open: KnownStay | None = None
    closed: list[KnownStay] = field(default_factory=list)
    abandoned: list[StayEnd] = field(default_factory=list)

    def apply(self, complete_to: datetime | None) -> int:
        """One pass; how many rows it changed."""
        scans = list(self.waiting.values())
        outcome = pair([Timeline(GROUP, self.open, self._recent(scans), scans, complete_to)])
        for _, ident, end in outcome.closed:
            assert self.open is not None
            assert self.open.stay_id == ident
            self.closed.append(self.open._replace(exit=end))
            self.open = None
        for _, ident in outcome.abandoned:
            assert self.open is not None
            assert self.open.stay_id == ident
            self.abandoned.append(self.open.entry)
            self.open = None
        for stay in outcome.new:
            known = KnownStay(stay.stay_id, stay.entry, stay.exit)
            if stay.abandoned:
                self.abandoned.append(stay.entry)
            elif stay.exit is not None:
                self.closed.append(known)
            else:
                assert self.open is None, "one stay is open at a time"
                self.open = known
        for key, _ in (*outcome.applied, *outcome.rejected):
            del self.waiting[key]
        for key, reason in outcome.held:
            self.waiting[key] = self.waiting[key]._replace(state="held", reason=reason)
        return len(outcome.new) + len(outcome.applied) + len(outcome.held) + len(outcome.rejected)

    def stays(self) -> Stays:
        ended = {(stay.entry.at, stay.exit.at, False) for stay in self.closed if stay.exit is not None}
        given_up = {(entry.at, None, True) for entry in self.abandoned}
        return ended | given_up | ({(self.open.entry.at, None, False)} if self.open is not None else set())

    def _recent(self, scans: Sequence[WaitingScan]) -> KnownStay | None:
        ats = [one.scanned_at for one in scans] + ([self.open.entry.at] if self.open is not None else [])
        if not ats:
            return None
        ended = [stay for stay in self.closed if stay.exit is not None]
        near = [stay for stay in ended if stay.exit and min(ats) - REPEAT_WITHIN <= stay.exit.at < min(ats)]
        return max(near, key=lambda stay: stay.entry.at, default=None)


def whole(scans: Sequence[WaitingScan]) -> Stays:
    """The stays when everything comes at once and nothing is to come."""
    book = Book({one.key: one for one in scans})
    book.apply(None)
    return book.stays()


@st.composite
def journals(draw: st.DrawFn, *, exits_missing: bool) -> tuple[list[WaitingScan], list[WaitingScan]]:
    """What entry and exit gate saw of one car, each by time."""
    minute = 0
    entries: list[WaitingScan] = []
    exits: list[WaitingScan] = []
    for _ in range(draw(st.integers(1, 5))):
        minute += draw(st.integers(2, 90))
        entries.append(scan(ENTRY, len(entries) + 1, minute))
        if exits_missing and draw(st.booleans()):
            continue
        minute += draw(st.integers(2, 90))
        exits.append(scan(EXIT, len(exits) + 1, minute))
    return entries, exits


@given(journals(exits_missing=False), st.lists(st.sampled_from([ENTRY, EXIT]), max_size=12))
def test_the_interleaving_of_two_gates_uploads_does_not_matter(
    seen: tuple[list[WaitingScan], list[WaitingScan]], turns: list[int]
) -> None:
    entries, exits = list(seen[0]), list(seen[1])
    book, complete_to = Book(), NOON
    for turn in turns:
        queue = entries if turn == ENTRY else exits
        if queue:
            arrived = queue.pop(0)
            book.waiting[arrived.key] = arrived
            complete_to = max(complete_to, arrived.scanned_at) if turn == EXIT else complete_to
        book.apply(complete_to)
        assert book.apply(complete_to) == 0, "the same again changes nothing"
    book.waiting |= {one.key: one for one in (*entries, *exits)}
    book.apply(FOREVER)
    assert book.stays() == whole([*seen[0], *seen[1]])
    assert book.waiting == {}


@given(journals(exits_missing=True), st.integers(0, 5))
def test_an_exit_gate_that_lags_behind_makes_no_stay_disappear(
    seen: tuple[list[WaitingScan], list[WaitingScan]], at_once: int
) -> None:
    book = Book({one.key: one for one in seen[0]})
    book.apply(NOON)
    left = list(seen[1])
    while left:
        arrived, left = left[: at_once + 1], left[at_once + 1 :]
        book.waiting |= {one.key: one for one in arrived}
        complete_to = arrived[-1].scanned_at
        book.apply(complete_to)
        assert book.apply(complete_to) == 0, "the same again changes nothing"
    book.apply(FOREVER)
    assert book.stays() == whole([*seen[0], *seen[1]])
    assert book.waiting == {}


def test_a_late_entry_before_an_open_stay_waits_for_its_exit() -> None:
    early, leaving, later = scan(ENTRY, 1, 0), scan(EXIT, 1, 30), scan(ENTRY, 2, 60)
    book = Book({later.key: later})
    book.apply(NOON)
    book.waiting[early.key] = early
    book.apply(NOON)
    assert book.stays() == {(later.scanned_at, None, False)}
    book.waiting[leaving.key] = leaving
    book.apply(NOON)
    assert book.stays() == whole([early, leaving, later])


def test_an_entry_held_up_twice_does_not_pass_for_the_next_stay() -> None:
    first, again, next_day = scan(ENTRY, 1, 0), scan(ENTRY, 2, 1), scan(ENTRY, 3, 600)
    book = Book({one.key: one for one in (first, again, next_day)})
    book.apply(NOON + timedelta(minutes=5))
    assert book.stays() == {(first.scanned_at, None, False)}
    assert [one.reason for one in book.waiting.values()] == ["awaiting_exit"]
