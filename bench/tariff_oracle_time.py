"""Local time for the plain tariff evaluator: offsets of a zone, windows of local time, days that turn at some time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

DAY_S: Final = 86_400
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DATE: Final = date(1970, 1, 1)
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Clocks change at most once in a stretch of this length.
STRETCH_S: Final = 6 * 3_600


def listed(value: Any) -> list[Any]:
    """A list as it is, nothing as no item, anything else as one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def seconds(value: int | str) -> int:
    """A duration in seconds: whole minutes, or text such as `20s`, `1h30m`."""
    if isinstance(value, int):
        return value * 60
    total_s, digits = 0, ""
    for letter in value:
        if letter.isdigit():
            digits += letter
        else:
            total_s += int(digits) * {"h": 3_600, "m": 60, "s": 1}[letter]
            digits = ""
    return total_s


def time_of_day_s(text: str) -> int:
    """`HH:MM` or `HH:MM:SS` as seconds of the day."""
    return sum(int(part) * unit_s for part, unit_s in zip(text.split(":"), (3_600, 60, 1), strict=False))


def day_number(text: str) -> int:
    """Days from 1970-01-01 to a date."""
    return (date.fromisoformat(text) - EPOCH_DATE).days


class Zone:
    """The offsets of a zone; what was looked up is kept."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)
        # By stretch: the offset at its start, and the instant and offset of a change in it.
        self._stretches: dict[int, tuple[int, tuple[int, int] | None]] = {}

    def offset_s(self, at_s: int) -> int:
        """Seconds by which the local clock is ahead of UTC."""
        first_s, change = self._stretch(at_s // STRETCH_S)
        return change[1] if change and at_s >= change[0] else first_s

    def local(self, at_s: int) -> tuple[int, int]:
        """The number of the local date, and the second of the local day."""
        return divmod(at_s + self.offset_s(at_s), DAY_S)

    def changes(self, from_s: int, to_s: int) -> Iterator[int]:
        """The instants in [from, to] at which the clock is changed."""
        for number in range(from_s // STRETCH_S, to_s // STRETCH_S + 1):
            change = self._stretch(number)[1]
            if change and from_s <= change[0] <= to_s:
                yield change[0]

    def showings(self, day: int, second: int) -> Iterator[int]:
        """The instants at which the clock shows a time on a date: one, none or two."""
        shown_s = day * DAY_S + second
        for offset_s in {self.offset_s(shown_s - DAY_S), self.offset_s(shown_s + DAY_S)}:
            if self.offset_s(shown_s - offset_s) == offset_s:
                yield shown_s - offset_s

    def turn_s(self, day: int, second: int) -> int:
        """The first instant at which the clock shows a time of a date or later: a skipped time at the skip."""
        shown_s = day * DAY_S + second
        jumps = [
            at_s
            for at_s in self.changes(shown_s - 2 * DAY_S, shown_s + 2 * DAY_S)
            if at_s + self.offset_s(at_s) >= shown_s
        ]
        return min([*self.showings(day, second), *jumps])

    def service_day(self, at_s: int, second: int) -> int:
        """The date whose day, which begins when the clock first shows a time, holds an instant."""
        day = self.local(at_s)[0] + 1
        while self.turn_s(day, second) > at_s:
            day -= 1
        return day

    def _stretch(self, number: int) -> tuple[int, tuple[int, int] | None]:
        found = self._stretches.get(number)
        if found is None:
            low_s, high_s = number * STRETCH_S, (number + 1) * STRETCH_S
            first_s, last_s = self._ask(low_s), self._ask(high_s - 1)
            change = None
            if first_s != last_s:
                while high_s - low_s > 1:
                    middle_s = (low_s + high_s) // 2
                    low_s, high_s = (middle_s, high_s) if self._ask(middle_s) == first_s else (low_s, middle_s)
                change = (high_s, last_s)
            found = self._stretches[number] = (first_s, change)
        return found

    def _ask(self, at_s: int) -> int:
        offset = (EPOCH + timedelta(seconds=at_s)).astimezone(self._zone).utcoffset()
        assert offset is not None
        return int(offset.total_seconds())


@dataclass(frozen=True, slots=True)
class Days:
    """What a token of `days` means: weekdays, Monday 0, and named dates."""

    weekdays: frozenset[int]
    dates: frozenset[int]

    @classmethod
    def read(cls, token: str, named: Mapping[str, Sequence[str]]) -> "Days":
        if token in named:
            return cls(frozenset(), frozenset(day_number(text) for text in named[token]))
        first, _, last = token.partition("-")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        return cls(frozenset((start + step) % 7 for step in range((end - start) % 7 + 1)), frozenset())

    def __contains__(self, day: int) -> bool:
        # Day 0 was a Thursday.
        return (day + 3) % 7 in self.weekdays or day in self.dates


@dataclass(frozen=True, slots=True)
class When:
    """A window of local time (S4): from, to, and which dates it may start on."""

    from_s: int
    to_s: int
    yes: Sequence[Days]
    no: Sequence[Days]
    seasons: Sequence[tuple[str, str]]
    on: tuple[int, int] | None

    @classmethod
    def read(cls, when: Mapping[str, Any], named: Mapping[str, Sequence[str]]) -> "When":
        tokens = listed(when.get("days"))
        on = when.get("on")
        return cls(
            from_s=time_of_day_s(when.get("from", "00:00")),
            to_s=time_of_day_s(when.get("to", "24:00")),
            yes=[Days.read(token, named) for token in tokens if not token.startswith("!")],
            no=[Days.read(token[1:], named) for token in tokens if token.startswith("!")],
            seasons=[(first, last) for first, last in when.get("season", ())],
            on=(day_number(on[0]), day_number(on[1])) if on else None,
        )

    def holds(self, day: int, second: int) -> bool:
        """Whether a second of a local date lies in the window."""
        if self.from_s < self.to_s:
            return self.from_s <= second < self.to_s and self._on_date(day)
        if second >= self.from_s:
            return self._on_date(day)
        return second < self.to_s and self._on_date(day - 1)

    def _on_date(self, day: int) -> bool:
        if any(day in days for days in self.no) or (self.yes and not any(day in days for days in self.yes)):
            return False
        if self.on and not self.on[0] <= day <= self.on[1]:
            return False
        if not self.seasons:
            return True
        today = (EPOCH_DATE + timedelta(days=day)).isoformat()[5:]
        return any(
            first <= today <= last if first <= last else today >= first or today <= last for first, last in self.seasons
        )


@dataclass(frozen=True, slots=True)
class Span:
    """A cycle or the windows of a cap: what kind, its length or time in seconds, and the weekday of a week."""

    kind: str
    seconds: int = 0
    weekday: int = 0

    @classmethod
    def read(cls, spec: Any) -> "Span":
        if isinstance(spec, str):
            return cls(spec)
        if "every" in spec:
            return cls("first" if spec.get("anchor") == "first" else "every", seconds(spec["every"]))
        if "daily" in spec:
            return cls("daily", time_of_day_s(spec["daily"]))
        weekday, _, time = spec["weekly"].partition(" ")
        return cls("weekly", time_of_day_s(time), WEEKDAYS.index(weekday))

    def number(self, at_s: int, entry_s: int, zone: Zone) -> int:
        """Which window of time holds an instant."""
        match self.kind:
            case "every":
                return (at_s - entry_s) // self.seconds
            case "daily":
                return zone.service_day(at_s, self.seconds)
            case "weekly":
                # Day 4 was a Monday.
                return (zone.service_day(at_s, self.seconds) - 4 - self.weekday) // 7
            case _:
                return 0

    def starts(self, entry_s: int, exit_s: int, zone: Zone) -> Iterator[int]:
        """The instants within a stay at which another window begins."""
        if self.kind == "every":
            yield from range(entry_s + self.seconds, exit_s, self.seconds)
        elif self.kind == "daily":
            for day in range(zone.local(entry_s)[0] - 1, zone.local(exit_s)[0] + 2):
                yield zone.turn_s(day, self.seconds)


def pieces(cuts: set[int], entry_s: int, exit_s: int) -> list[tuple[int, int]]:
    """A stay cut at instants, in order."""
    inside = sorted(at_s for at_s in cuts if entry_s < at_s < exit_s)
    return list(pairwise([entry_s, *inside, exit_s]))
