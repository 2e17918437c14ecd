"""Whatever the uploads' order, the stays are those that the whole journal would have given at once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parkflow.gate.unpaired import PairedScan
from parkflow.lot.rules import MissingEntry, MissingExit
from parkflow.parking.rules import Terms
from parkflow.parking.state import StayState
from tests.pairing_book import FOREVER, NOON, Book, scan, whole

# Two gates see entries and two see exits.
ENTRIES, EXITS = (1, 3), (2, 4)
ALL_IS_HERE = Terms(exits_complete_to=FOREVER, given_up_before=FOREVER)
NOTHING_IS_KNOWN = Terms(exits_complete_to=NOON)

policies = st.builds(
    lambda leaving, entry, minutes: replace(
        ALL_IS_HERE, missing_exit=leaving, missing_entry=entry, missing_lasts=timedelta(minutes=minutes)
    ),
    # A person's decision is made when it is made, so it depends on when something was known.
    st.sampled_from([one for one in MissingExit if one is not MissingExit.OPERATOR]),
    st.sampled_from([one for one in MissingEntry if one is not MissingEntry.OPERATOR]),
    st.sampled_from([30, 300]),
)


class Journal:
    """What gates saw of one car."""

    def __init__(self) -> None:
        self.seconds, self.seen = 0, list[PairedScan]()

    def passes(self, gate: int, after_seconds: int) -> None:
        self.seconds += after_seconds
        direction = "entry" if gate in ENTRIES else "exit"
        at = NOON + timedelta(seconds=self.seconds)
        self.seen.append(scan(gate, len(self.seen) + 1, at, direction))


@st.composite
def journals(draw: st.DrawFn) -> list[PairedScan]:
    """A car that comes and goes, holds its code up twice, and is not seen now and then."""
    journal = Journal()
    for _ in range(draw(st.integers(1, 4))):
        for gates in (ENTRIES, EXITS):
            if draw(st.integers(0, 9)) < 2:
                continue
            journal.passes(draw(st.sampled_from(gates)), draw(st.sampled_from([61, 600, 3_000, 5_400])))
            if draw(st.integers(0, 9)) < 2:
                journal.passes(draw(st.sampled_from(gates)), draw(st.sampled_from([1, 30, 60])))
    return journal.seen


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[PairedScan], list[list[PairedScan]], Terms]:
    """What was seen, in which portions it arrives (in any order, some of it twice), and the lot's policy."""
    seen = draw(journals())
    order = draw(st.permutations(seen))
    again = draw(st.lists(st.sampled_from(seen), max_size=3)) if seen else []
    queue, portions = [*order, *again], []
    while queue:
        size = draw(st.integers(1, 3))
        portions.append(queue[:size])
        queue = queue[size:]
    return seen, portions, draw(policies)


@settings(max_examples=80)
@given(arrivals(), st.lists(st.booleans(), min_size=16, max_size=16))
def test_any_order_delay_and_repetition_of_arrival_ends_in_the_same_stays(
    arrival: tuple[list[PairedScan], list[list[PairedScan]], Terms], gave_up: list[bool]
) -> None:
    seen, portions, terms = arrival
    book = Book()
    for portion, is_over in zip(portions, gave_up, strict=False):
        book.arrive(*portion)
        # What is here may seem to be all that there is, and be charged, before the rest comes.
        now = terms if is_over else replace(terms, exits_complete_to=NOON, given_up_before=None)
        book.apply(now)
        assert book.apply(now) == 0, "the same again changes nothing"
    book.arrive(*seen)
    book.apply(terms)
    expected = whole(seen, terms)
    assert book.told() == expected.told()
    assert {key: one[:2] for key, one in book.places().items()} == {
        key: one[:2] for key, one in expected.places().items()
    }


@given(journals(), st.integers(0, 12))
def test_an_exit_gate_that_lags_behind_makes_no_stay_disappear(seen: list[PairedScan], at_once: int) -> None:
    book = Book()
    book.arrive(*(one for one in seen if one.direction == "entry"))
    book.apply(NOTHING_IS_KNOWN)
    left = [one for one in seen if one.direction == "exit"]
    while left:
        arrived, left = left[: at_once + 1], left[at_once + 1 :]
        book.arrive(*arrived)
        book.apply(Terms(exits_complete_to=arrived[-1].at))
    book.apply(ALL_IS_HERE)
    assert book.told() == whole(seen, ALL_IS_HERE).told()


def seen_at(*minutes: tuple[int, int]) -> list[PairedScan]:
    """Scans of (gate, minute)."""
    return [
        scan(gate, place, NOON + timedelta(minutes=minute), "entry" if gate in ENTRIES else "exit")
        for place, (gate, minute) in enumerate(minutes, start=1)
    ]


def test_a_late_entry_before_an_open_stay_waits_for_its_exit() -> None:
    early, leaving, later = seen_at((1, 0), (2, 30), (1, 60))
    book = Book()
    book.arrive(later)
    book.apply(NOTHING_IS_KNOWN)
    book.arrive(early)
    book.apply(NOTHING_IS_KNOWN)
    assert {(entry, state) for entry, _, state, _ in book.told()} == {(later.at, "open")}
    book.arrive(leaving)
    book.apply(NOTHING_IS_KNOWN)
    assert {(entry, state) for entry, _, state, _ in book.told()} == {(early.at, "closed"), (later.at, "open")}


def test_an_entry_held_up_twice_does_not_pass_for_the_next_stay() -> None:
    first, again, next_day = seen_at((1, 0), (1, 1), (1, 600))
    book = Book()
    book.arrive(first, again, next_day)
    book.apply(Terms(exits_complete_to=NOON + timedelta(minutes=5)))
    assert {(entry, state) for entry, _, state, _ in book.told()} == {(first.at, "open")}
    assert [one.reason for one in book.scans.values()] == [None, "repeated", "awaiting_exit"]


@pytest.mark.parametrize(
    ("policy", "ends_after", "state"),
    [
        (MissingExit.ABANDON, None, StayState.ABANDONED),
        (MissingExit.OPERATOR, None, StayState.HELD),
        (MissingExit.NEXT_ENTRY, 90, StayState.CLOSED),
        (MissingExit.MAXIMUM, 60, StayState.CLOSED),
    ],
)
def test_a_stay_whose_exit_is_missing_ends_as_the_policy_says(
    policy: MissingExit, ends_after: int | None, state: StayState
) -> None:
    first, second, leaving = seen_at((1, 0), (1, 90), (2, 120))
    book = Book()
    book.arrive(first, second, leaving)
    book.apply(replace(ALL_IS_HERE, missing_exit=policy, missing_lasts=timedelta(minutes=60)))
    [stay] = [one for one in book.told() if one[0] == first.at]
    assert stay[1:3] == (None if ends_after is None else NOON + timedelta(minutes=ends_after), state)
    assert "missing_exit" in stay[3]
    assert {one[3] for one in book.told() if one[0] == second.at} == {frozenset({"double_entry"})}


def test_an_exit_without_entry_begins_when_the_stay_before_it_ended() -> None:
    scans = seen_at((1, 0), (2, 30), (2, 120))
    book = Book()
    book.arrive(*scans)
    terms = replace(ALL_IS_HERE, missing_entry=MissingEntry.MAXIMUM, missing_lasts=timedelta(hours=4))
    book.apply(terms)
    at = [one.at for one in scans]
    assert {(entry, leaving) for entry, leaving, _, _ in book.told()} == {(at[0], at[1]), (at[1], at[2])}


def test_an_exit_after_the_hours_of_the_policy_takes_up_no_stay_that_was_given_up() -> None:
    entry, in_time, too_late = seen_at((1, 0), (2, 47 * 60), (2, 49 * 60))
    book = Book()
    book.arrive(entry)
    book.apply(ALL_IS_HERE)
    book.arrive(too_late)
    book.apply(ALL_IS_HERE)
    assert {state for _, _, state, _ in book.told()} == {"abandoned"}
    book.arrive(in_time)
    book.apply(ALL_IS_HERE)
    assert {one[:3] for one in book.told()} == {(entry.at, in_time.at, "closed")}
