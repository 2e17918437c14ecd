"""Ladders and caps of a tariff as rate lines and maxima of APDS 4.

The upper bound of a rate line is inclusive, as that of a step: a unit pays for the time up to and with its last second.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parkflow.tariff.apds import clock_duration, iso_duration

_SPELLED = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True, slots=True)
class Line:
    """A rate line before its amount: the step of the ladder that it is made of; None for free time."""

    kind: str
    bounds: Mapping[str, str]
    step: dict[str, Any] | None


def duration_s(value: int | str) -> int:
    """A duration as the tariff language writes it: minutes, or text such as `20s` and `1h30m`."""
    if isinstance(value, int):
        return value * 60
    match = _SPELLED.fullmatch(value)
    assert match is not None, value
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3_600 + minutes * 60 + seconds


def ladder_lines(ladder: Sequence[dict[str, Any]], cycle: object) -> tuple[list[Line], str | None]:
    """The lines, and what is lost with them. All lines are of one type, as readers of the standard expect."""
    if not ladder:
        return [Line("flatRate", {}, None)], None
    if len(ladder) == 1 and "for" not in ladder[0]:
        step = ladder[0]
        if step["unit"] == "all":
            return [Line("flatRate", {}, step)], None
        return [Line("incrementingRate", {"incrementPeriod": iso_duration(duration_s(step["unit"]))}, step)], None
    tiers = all(_is_tier(step) for step in ladder)
    lines, start_s, fault = [], 0, None
    for step in ladder:
        end_s = start_s + duration_s(step["for"]) if "for" in step else None
        if step["unit"] == "all":
            # The rest of the cycle, where the cycle has a length.
            fault = fault or ("a step to the end of the period is not the last" if end_s else None)
            end_s = _cycle_s(cycle)
            fault = fault or (None if tiers or end_s else "a step to the end of the stay beside steps that repeat")
        bounds, odd = _bounds(step, start_s, end_s)
        lines.append(Line("flatRateTier" if tiers else "incrementingRate", bounds, step))
        fault = fault or odd
        start_s = end_s or start_s
    return lines, fault


def _is_tier(step: Mapping[str, Any]) -> bool:
    return step["unit"] == "all" or ("for" in step and duration_s(step["unit"]) == duration_s(step["for"]))


def _bounds(step: Mapping[str, Any], start_s: int, end_s: int | None) -> tuple[dict[str, str], str | None]:
    start, end = clock_duration(start_s), None if end_s is None else clock_duration(end_s)
    if start is None or (end_s is not None and end is None):
        return {}, "durations have no seconds"
    bounds = {"durationStart": start, **({"durationEnd": end} if end else {})}
    if step["unit"] != "all":
        bounds["incrementPeriod"] = iso_duration(duration_s(step["unit"]))
    elif end_s is not None:
        bounds["incrementPeriod"] = iso_duration(end_s - start_s)
    return bounds, None


def _cycle_s(cycle: object) -> int | None:
    return duration_s(cycle["every"]) if isinstance(cycle, dict) and "every" in cycle else None


def held_cap(cap: Mapping[str, Any], plan: Mapping[str, Any]) -> int | None:
    """The band whose table holds the cap as its maximum; None when none can.

    A maximum of the standard bounds one table between two resets, within one stay.
    """
    if cap.keys() - {"max", "over", "bands"} or not isinstance(cap["max"], int):
        return None
    if cap["over"] != "cycle" and cap["over"] != _own_window(plan["cycle"]):
        return None
    ids = [band["id"] for band in plan["bands"]]
    named = cap.get("bands", ids)
    named = [named] if isinstance(named, str) else named
    return ids.index(named[0]) if len(named) == 1 else None


def _own_window(cycle: object) -> object:
    """The window of a cap that is the cycle by another name."""
    if isinstance(cycle, dict) and "every" in cycle:
        return {"every": cycle["every"], "anchor": "entry"}
    return cycle
