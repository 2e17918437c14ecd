"""A doubtful instant is settled in the driver's favour, a stay is never shorter than nothing, and order is kept."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from parkflow.gate.unpaired import PairedScan
from parkflow.parking.rules import Terms
from tests.pairing_book import FOREVER, NOON, Book, scan, whole

ALL_IS_HERE = Terms(exits_complete_to=FOREVER, given_up_before=FOREVER)


def seen(gate: int, minute: int, *, before: int = 0, after: int = 0) -> PairedScan:
    """A scan of gate 1 (an entry) or 2, which may have been some minutes earlier or later."""
    at = NOON + timedelta(minutes=minute)
    found = scan(gate, minute + 1, at, "entry" if gate == 1 else "exit")
    if before or after:
        found = found._replace(earliest_at=at - timedelta(minutes=before), latest_at=at + timedelta(minutes=after))
    return found


def ends(*scans: PairedScan) -> set[tuple[int, int | None]]:
    """(entry, exit) in minutes from noon."""
    told = whole(scans, replace(ALL_IS_HERE, given_up_before=None)).told()
    return {
        ((entry - NOON) // timedelta(minutes=1), None if leaving is None else (leaving - NOON) // timedelta(minutes=1))
        for entry, leaving, _, _ in told
    }


def test_the_entry_counts_at_the_latest_and_the_exit_at_the_earliest() -> None:
    assert ends(seen(1, 10, before=5, after=5), seen(2, 60, before=20, after=9)) == {(15, 40)}


def test_ends_that_cross_are_a_stay_of_no_length() -> None:
    assert ends(seen(1, 10, before=10, after=20), seen(2, 20, before=9, after=20)) == {(11, 11)}
    assert ends(seen(1, 10), seen(2, 20, before=15, after=0)) == {(10, 10)}
    assert ends(seen(1, 10, before=0, after=30), seen(2, 20)) == {(20, 20)}


def test_an_entry_with_an_exit_of_its_own_is_not_taken_for_an_earlier_one() -> None:
    early, late = seen(2, 20, before=15, after=15), seen(1, 30)
    assert ends(early, late, seen(2, 50)) == {(30, 50)}
    assert ends(seen(1, 0), early, late, seen(2, 50)) == {(0, 5), (30, 50)}


spans = st.tuples(st.integers(0, 40), st.integers(0, 40))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(2, 60), spans), min_size=1, max_size=5), st.randoms())
def test_doubt_never_makes_a_negative_stay_nor_depends_on_the_order_of_arrival(
    gaps: list[tuple[int, tuple[int, int]]], rng: object
) -> None:
    minute, scans = 0, []
    for place, (gap, (before, after)) in enumerate(gaps):
        minute += gap
        scans.append(seen(1 + place % 2, minute, before=before, after=after))
    book = Book()
    arriving = list(scans)
    rng.shuffle(arriving)  # type: ignore[attr-defined]
    for one in arriving:
        book.arrive(one)
        book.apply(Terms(exits_complete_to=NOON - timedelta(days=1)))
    book.arrive(*scans)
    book.apply(ALL_IS_HERE)
    told = whole(scans, ALL_IS_HERE).told()
    assert all(entry <= leaving for entry, leaving, _, _ in book.told() if leaving is not None)
    assert {one[:3] for one in book.told()} == {one[:3] for one in told}
