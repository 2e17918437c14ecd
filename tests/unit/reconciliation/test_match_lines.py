"""Matching a bill with our book: every difference is found, once, and nothing else is called one."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.reconciliation.rules import Break, BreakClass, Line, LineKey, day_window, match_lines

PAY = Line(LineKey("pay", "o1"), 900, "USD")
REFUND = Line(LineKey("refund", "r1"), 400, "USD")


def breaks_of(ours: list[Line], of_day: list[Line], theirs: list[Line]) -> list[Break]:
    return list(match_lines(ours=ours, ours_of_day=[line.key for line in of_day], theirs=theirs).breaks)


def test_equal_books_match_and_refunds_count_against_payments() -> None:
    matching = match_lines(ours=[PAY, REFUND], ours_of_day=[PAY.key, REFUND.key], theirs=[PAY, REFUND])
    assert (matching.matched, matching.breaks, matching.ours_minor, matching.theirs_minor) == (2, [], 500, 500)


@pytest.mark.parametrize(
    ("ours", "of_day", "theirs", "break_class", "ours_minor", "theirs_minor"),
    [
        ([], [], [PAY], BreakClass.THEIRS_ONLY, None, 900),
        ([replace(PAY, amount_minor=901)], [PAY], [PAY], BreakClass.AMOUNT_DIFFERS, 901, 900),
        ([replace(PAY, currency="CNY")], [PAY], [PAY], BreakClass.AMOUNT_DIFFERS, 900, 900),
        ([replace(PAY, state="unknown")], [], [PAY], BreakClass.STATE_DIFFERS, 900, 900),
        ([replace(PAY, state="declined")], [], [PAY], BreakClass.STATE_DIFFERS, 900, 900),
        ([PAY], [PAY], [PAY, PAY], BreakClass.DUPLICATE_ROW, 900, 900),
        ([PAY], [PAY], [], BreakClass.OURS_ONLY, 900, None),
    ],
)
def test_each_kind_of_difference_has_its_class(
    ours: list[Line],
    of_day: list[Line],
    theirs: list[Line],
    break_class: BreakClass,
    ours_minor: int | None,
    theirs_minor: int | None,
) -> None:
    assert breaks_of(ours, of_day, theirs) == [Break(PAY.key, break_class, ours_minor, theirs_minor)]


def test_an_order_and_a_refund_of_one_number_are_two_lines() -> None:
    refund = Line(LineKey("refund", "o1"), 900, "USD")
    assert breaks_of([PAY], [PAY], [PAY, refund]) == [Break(refund.key, BreakClass.THEIRS_ONLY, None, 900)]


def test_money_that_moved_on_a_day_we_did_not_expect_still_matches_by_its_number() -> None:
    assert breaks_of([PAY], [], [PAY]) == []


LINES = st.builds(
    Line,
    key=st.builds(LineKey, kind=st.sampled_from(["pay", "refund"]), number=st.sampled_from("abcdef")),
    amount_minor=st.integers(1, 3),
    currency=st.just("USD"),
)


@given(ours=st.lists(LINES, unique_by=lambda line: line.key), theirs=st.lists(LINES, max_size=8))
def test_without_breaks_both_sides_have_the_same_money(ours: list[Line], theirs: list[Line]) -> None:
    matching = match_lines(ours=ours, ours_of_day=[line.key for line in ours], theirs=theirs)
    keys = {line.key for line in [*ours, *theirs]}
    assert matching.matched + len(matching.breaks) == len(keys)
    assert len({found.key for found in matching.breaks}) == len(matching.breaks)
    if not matching.breaks:
        assert matching.ours_minor == matching.theirs_minor
        assert sorted(line.key for line in ours) == sorted(line.key for line in theirs)


def test_a_bill_day_is_the_calendar_day_of_the_channel() -> None:
    assert day_window(date(2017, 10, 20), "Asia/Shanghai") == (
        datetime(2017, 10, 19, 16, tzinfo=UTC),
        datetime(2017, 10, 20, 16, tzinfo=UTC),
    )
    start, end = day_window(date(2017, 11, 5), "America/New_York")
    assert (end - start).total_seconds() == 25 * 3600
