"""Windows of a tariff and validity periods of APDS 4, either way.

A period of the standard lies within one day, so a window over midnight becomes two. Its times end at 23:59; an end of
00:00 is the end of the day. Which dates are holidays is not in a document of the standard.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from parkflow.tariff.apds import ApdsRefused, shown
from parkflow.tariff.apds_models import Period, Validity

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ALL: Final = frozenset(range(7))

# A window with its fields, as the tariff language writes it.
When = Mapping[str, Any]


class NotHeld(Exception):
    """A window that the standard cannot hold; the text says why."""


def validity_of(whens: Sequence[When]) -> tuple[dict[str, Any], set[str]]:
    """The validity of the windows, and the names of the dates that they ask for. Raises NotHeld.

    Named dates become special days: the standard knows their kind, not their dates.
    """
    named: set[str] = set()
    valid: list[dict[str, Any]] = []
    excepted: list[dict[str, Any]] = []
    for when in whens:
        if "season" in when or "on" in when:
            raise NotHeld("a season or a range of dates")
        weekdays, with_dates, without_dates = _days(when.get("days"))
        named |= {*with_dates, *without_dates}
        special = {"recurringSpecialDay": [_special_day(name) for name in with_dates]} if with_dates else {}
        periods = _window_periods(when.get("from", "00:00"), when.get("to", "24:00"), weekdays)
        valid += [{**period, **special} for period in periods]
        excepted += [{"recurringSpecialDay": [_special_day(name)]} for name in without_dates]
    times = {"validPeriods": valid, **({"exceptionPeriods": excepted} if excepted else {})}
    return {"validityStatus": "definedByValidityTimeSpec", "validityTimeSpecification": times}, named


def _special_day(name: str) -> dict[str, Any]:
    if name != "PH":
        return {"specialDayType": "other", "intersectWithApplicableDays": False}
    return {
        "specialDayType": "publicHoliday",
        "intersectWithApplicableDays": False,
        "publicHolidayName": [{"language": "en", "string": name}],
    }


def _window_periods(start: str, end: str, weekdays: frozenset[int]) -> list[dict[str, Any]]:
    if len(start) > len("00:00") or len(end) > len("00:00"):
        raise NotHeld("a window that starts or ends within a minute")
    if start < end:
        return [_period([(start, end)], weekdays)]
    first, second = (start, "24:00"), ("00:00", end)
    if end == "00:00":
        return [_period([first], weekdays)]
    if weekdays == _ALL:
        return [_period([first, second], weekdays)]
    # The window belongs to the day on which it starts, so its second half lies on the days after.
    return [_period([first], weekdays), _period([second], frozenset((day + 1) % 7 for day in weekdays))]


def _period(windows: Sequence[tuple[str, str]], weekdays: frozenset[int]) -> dict[str, Any]:
    period: dict[str, Any] = {}
    if weekdays != _ALL:
        period["recurringDayWeekMonthPeriod"] = [{"applicableDay": [_FULL_NAMES[day] for day in sorted(weekdays)]}]
    if list(windows) != [("00:00", "24:00")]:
        period["recurringTimePeriodOfDay"] = [
            {"startTimeOfPeriod": start, "endTimeOfPeriod": "00:00" if end == "24:00" else end}
            for start, end in windows
        ]
    return period


def _days(tokens: str | Sequence[str] | None) -> tuple[frozenset[int], list[str], list[str]]:
    """The weekdays of the tokens, the names of dates that are added, and those that are taken away."""
    wanted = [tokens] if isinstance(tokens, str) else list(tokens or ())
    positive = [token for token in wanted if not token.startswith("!")]
    negative = [token[1:] for token in wanted if token.startswith("!")]
    added = set(_ALL) if not positive else set().union(*map(_weekdays, positive))
    taken = set().union(*map(_weekdays, negative))
    return (
        frozenset(added - taken),
        [name for name in positive if not _weekdays(name)],
        [name for name in negative if not _weekdays(name)],
    )


def _weekdays(name: str) -> set[int]:
    first, _, last = name.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        return set()
    start, end = DAYS.index(first), DAYS.index(last or first)
    return {(start + step) % 7 for step in range((end - start) % 7 + 1)}


def whens_of(validity: Validity | None, path: str) -> list[dict[str, Any]]:
    """The windows of a RateTable's validity; none means always. Raises ApdsRefused."""
    if validity is None:
        return []
    if validity.validityStatus in {"planned", "suspended"}:
        raise ApdsRefused(f"{path}.validityStatus: the table is {validity.validityStatus}; leave it out")
    times = validity.validityTimeSpecification
    if validity.validityStatus == "active" or times is None:
        return []
    if times.exceptionPeriods:
        raise ApdsRefused(
            f"{path}.exceptionPeriods: periods of exception, such as holidays, have no dates in the document"
        )
    whens: list[dict[str, Any]] = []
    for place, period in enumerate(times.validPeriods):
        found = _period_whens(period, f"{path}.validPeriods[{place}]")
        if not found:
            # Always valid, whatever the other periods say.
            return []
        whens += found
    return whens


def _period_whens(period: Period, path: str) -> list[dict[str, Any]]:
    if period.recurringSpecialDay:
        raise ApdsRefused(f"{path}.recurringSpecialDay: the dates of special days are not in the document")
    named = {day for part in period.recurringDayWeekMonthPeriod for day in part.applicableDay or _FULL_NAMES}
    days = [DAYS[place] for place, name in enumerate(_FULL_NAMES) if name in named]
    some_days = {"days": days} if days and len(days) < len(DAYS) else {}
    if not period.recurringTimePeriodOfDay:
        return [some_days] if some_days else []
    whens = []
    for window in period.recurringTimePeriodOfDay:
        start, end = window.startTimeOfPeriod.zfill(5), window.endTimeOfPeriod.zfill(5)
        end = "24:00" if end == "00:00" else end
        if start >= end:
            raise ApdsRefused(f"{path}: {start} to {end} runs over midnight; the standard's periods lie within a day")
        whens.append({"from": start, "to": end, **some_days})
    return whens


def date_time(instant_s: int) -> str:
    """The instant as the standard writes it, in UTC."""
    return f"{datetime.fromtimestamp(instant_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def local_date(text: str, zone: str, path: str) -> str:
    """The standard's date-time as a tariff writes it: local, and without the time where that is midnight.

    Raises ApdsRefused for a time without offset, a fraction of a second, and the second pass of a repeated hour.
    """
    try:
        instant = datetime.fromisoformat(text)
        local = instant.astimezone(ZoneInfo(zone))
    except (ValueError, OverflowError, OSError, ZoneInfoNotFoundError):
        raise ApdsRefused(f"{path}: {shown(text)!r} is no date-time that has a local one in {shown(zone)}") from None
    if instant.tzinfo is None or local.microsecond or local.fold:
        raise ApdsRefused(f"{path}: {shown(text)!r} has no offset, or no local time of its own")
    return f"{local:%Y-%m-%dT%H:%M:%S}".removesuffix(":00").removesuffix("T00:00")
