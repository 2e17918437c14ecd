"""The folded peak day: when cars leave, from the table of exits by local minute, compressed into seconds."""

import csv
import random
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).parent / "folded_day" / "exits_by_minute.csv"
_SECONDS_PER_MINUTE: Final = 60
# Whoever leaves on the minute leaves within its first second, at the day's pace or compressed: a burst stays a burst.
_BURST_SECONDS: Final = 1.0


def exit_times(*, seconds: float, seed: int, share: float = 1.0) -> list[float]:
    """When cars leave, in seconds from the beginning, sorted: the day from its first to its last minute in `seconds`.

    The seconds of exits that are not on the minute are not in the table and are drawn. `share` takes that part of all.
    """
    dice = random.Random(seed)
    minutes = _minutes()
    first = min(minutes)
    pace = seconds / (max(minutes) + 1 - first)
    times = []
    for minute, (exits, on_the_minute) in minutes.items():
        begins = (minute - first) * pace
        times += [begins + _BURST_SECONDS * dice.random() for _ in range(round(on_the_minute * share))]
        times += [begins + pace * dice.random() for _ in range(round((exits - on_the_minute) * share))]
    return sorted(times)


def steady_times(*, per_second: float, seconds: float, seed: int) -> list[float]:
    """Cars that leave independently of each other (a Poisson process)."""
    dice = random.Random(seed)
    times = []
    at = dice.expovariate(per_second)
    while at < seconds:
        times.append(at)
        at += dice.expovariate(per_second)
    return times


def _minutes() -> dict[int, tuple[int, int]]:
    """Exits, and those on the minute, by minute of the local day."""
    with TABLE.open(encoding="ascii") as file:
        return {
            _minute(line["local_minute"]): (int(line["exits"]), int(line["on_the_minute"]))
            for line in csv.DictReader(file)
        }


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * _SECONDS_PER_MINUTE + int(minute)
