"""Matching a channel's bill with our book, line by line: what agrees, what breaks, and what the bill settles."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

SUCCEEDED: Final = "succeeded"


class BreakClass(StrEnum):
    """How a line breaks; of several the first in this order is kept."""

    THEIRS_ONLY = "theirs_only"  # money moved under a number that we do not know
    AMOUNT_DIFFERS = "amount_differs"
    STATE_DIFFERS = "state_differs"  # money moved, and we do not say so
    DUPLICATE_ROW = "duplicate_row"  # the bill has the number more than once
    OURS_ONLY = "ours_only"  # we say that money moved on this day, the bill does not


class LineKey(NamedTuple):
    """kind: `pay` (number: our order number) or `refund` (our refund number)."""

    kind: str
    number: str


@dataclass(frozen=True, slots=True)
class Line:
    """A payment or refund as one side has it; amount in minor units of `currency`."""

    key: LineKey
    amount_minor: int
    currency: str
    state: str = SUCCEEDED


@dataclass(frozen=True, slots=True)
class Break:
    """A line on which the books differ; an amount is None where that side has no such line."""

    key: LineKey
    break_class: BreakClass
    ours_minor: int | None
    theirs_minor: int | None


@dataclass(frozen=True, slots=True)
class Matching:
    """The result of one comparison; sums are of the lines in which a side says that money moved, refunds negative."""

    matched: int
    breaks: Sequence[Break]
    ours_minor: int
    theirs_minor: int


def match_lines(*, ours: Iterable[Line], ours_of_day: Iterable[LineKey], theirs: Sequence[Line]) -> Matching:
    """Compare.

    ours: every line of ours whose number the bill has, in any state, and every line of the day.
    ours_of_day: those that we hold for succeeded on the bill's day. theirs: the bill.
    """
    known = {line.key: line for line in ours}
    times = Counter(line.key for line in theirs)
    billed = {line.key: line for line in reversed(theirs)}
    breaks = []
    for key, line in billed.items():
        if (break_class := _class_of(known.get(key), line, times[key])) is not None:
            mine = known.get(key)
            breaks.append(Break(key, break_class, None if mine is None else mine.amount_minor, line.amount_minor))
    of_day = set(ours_of_day)
    for key in of_day - set(billed):
        breaks.append(Break(key, BreakClass.OURS_ONLY, known[key].amount_minor, None))
    held = {key for key in of_day | (set(billed) & set(known)) if known[key].state == SUCCEEDED}
    return Matching(
        matched=len(of_day | set(billed)) - len(breaks),
        breaks=sorted(breaks, key=lambda found: found.key),
        ours_minor=sum(_signed(known[key]) for key in held),
        theirs_minor=sum(_signed(line) for line in theirs),
    )


def day_window(day: date, time_zone: str) -> tuple[datetime, datetime]:
    """The instants of a calendar day at the channel: from the first (in it) to the second (not in it), UTC."""
    zone = ZoneInfo(time_zone)
    start, end = (datetime.combine(at, time(), tzinfo=zone) for at in (day, day + timedelta(days=1)))
    return start.astimezone(UTC), end.astimezone(UTC)


def _class_of(mine: Line | None, line: Line, times: int) -> BreakClass | None:
    if mine is None:
        return BreakClass.THEIRS_ONLY
    if (mine.amount_minor, mine.currency) != (line.amount_minor, line.currency):
        return BreakClass.AMOUNT_DIFFERS
    if mine.state != SUCCEEDED:
        return BreakClass.STATE_DIFFERS
    return BreakClass.DUPLICATE_ROW if times > 1 else None


def _signed(line: Line) -> int:
    return -line.amount_minor if line.key.kind == "refund" else line.amount_minor
