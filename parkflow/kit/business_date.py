"""Business days: which day an instant belongs to, and which instants belong to a day."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


class BusinessWindow(NamedTuple):
    """The instants of one business day: from `start` (in it) to `end` (not in it), both aware UTC."""

    start: datetime
    end: datetime


def business_date(now: datetime, time_zone: ZoneInfo, day_turn: time) -> date:
    """The business day to which `now` belongs, for an operator whose day turns at the local time `day_turn`.

    It is the latest day that has begun, so every instant is in exactly one `business_window`, also when clocks change.
    """
    day = now.astimezone(time_zone).date()
    while _start(day, time_zone, day_turn) > now:
        day -= _DAY
    # Where the day turned inside a skipped hour or on a skipped date, a later day has begun at the same instant.
    while _start(day + _DAY, time_zone, day_turn) <= now:
        day += _DAY
    return day


def business_window(day: date, time_zone: ZoneInfo, day_turn: time) -> BusinessWindow:
    """All instants of the business day `day`; 23 or 25 hours where clocks change."""
    return BusinessWindow(_start(day, time_zone, day_turn), _start(day + _DAY, time_zone, day_turn))


def _start(day: date, time_zone: ZoneInfo, day_turn: time) -> datetime:
    # fold=0: of an hour that comes twice the first counts; in a skipped hour the old offset is used on.
    return datetime.combine(day, day_turn.replace(fold=0), tzinfo=time_zone).astimezone(UTC)
