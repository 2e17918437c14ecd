"""Rate lines of APDS 4 as a ladder: one scale without gaps or overlaps, or a refusal.

Upper bounds are inclusive (in the flows of the UK platform two hours cost what the line to two hours says), so a line
becomes a step as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from parkflow.tariff.apds import ApdsRefused, minor_of, seconds_of
from parkflow.tariff.apds_facts import Facts
from parkflow.tariff.apds_models import RateLine, RateLineCollection

_REPEATING: Final = ("flatRateTier", "incrementingRate")


@dataclass(frozen=True, slots=True)
class _Span:
    """A line with its bounds in seconds of the scale."""

    line: RateLine
    path: str
    start_s: int
    end_s: int | None
    period_s: int | None


def ladder_of(collection: RateLineCollection, exponent: int, path: str, facts: Facts) -> list[dict[str, Any]]:
    """The steps of the collection's lines. Raises ApdsRefused."""
    lines = collection.rateLines
    kinds = {_kind(line, facts) for line in lines}
    if kinds == {"flatRate"}:
        return [_flat_step(lines, exponent, path)]
    if len(kinds) > 1:
        if kinds != set(_REPEATING):
            raise ApdsRefused(f"{path}: lines of the types {', '.join(sorted(kinds))} in one collection; split them")
        facts.ask("mixed", "tiers", f"{path} mixes flatRateTier and incrementingRate")
    spans = _spans(lines, path, facts)
    if collection.relativeTimes is False and any(span.line.durationStart or span.line.durationEnd for span in spans):
        raise ApdsRefused(f"{path}: durations of times that are not relative to the stay cannot be read")
    prices = _prices(spans, exponent, facts)
    steps = [_step(span, price) for span, price in zip(spans, prices, strict=True)]
    if "for" in steps[-1] and facts.ask("beyond", "free", f"{path} ends at its last durationEnd") == "last":
        del steps[-1]["for"]
    return steps


def _kind(line: RateLine, facts: Facts) -> str:
    if line.rateLineType == "perUnit":
        facts.ask("unit", "started", "APDS 4 does not define perUnit")
        return "incrementingRate"
    return line.rateLineType


def _flat_step(lines: Sequence[RateLine], exponent: int, path: str) -> dict[str, Any]:
    if len(lines) > 1:
        raise ApdsRefused(f"{path}: {len(lines)} flatRate lines overlap; which one applies is not said")
    line = lines[0]
    if line.durationStart and seconds_of(line.durationStart, f"{path}[0].durationStart"):
        raise ApdsRefused(f"{path}[0].durationStart: a flatRate that starts later is not imported")
    return {"unit": "all", "price": minor_of(line.value, exponent, f"{path}[0].value")}


def _spans(lines: Sequence[RateLine], path: str, facts: Facts) -> list[_Span]:
    """The lines in order of their bounds. Raises ApdsRefused for gaps and overlaps."""
    bounded = [line.durationStart is not None or line.durationEnd is not None for line in lines]
    if len(lines) > 1 and not any(bounded):
        facts.ask("sequence", "once", f"the lines of {path} have no durations")
        if len({line.sequence for line in lines}) < len(lines):
            raise ApdsRefused(f"{path}: a sequence number is given twice")
    elif len(lines) > 1 and not all(bounded):
        raise ApdsRefused(f"{path}: some lines have durations and some have none")
    ordered = sorted(enumerate(lines), key=lambda item: (_start_s(item[1], path, item[0]) or 0, item[1].sequence))
    spans: list[_Span] = []
    for place, line in ordered:
        spans.append(_span(line, f"{path}[{place}]", _start_s(line, path, place), spans, only=len(lines) == 1))
    return spans


def _start_s(line: RateLine, path: str, place: int) -> int | None:
    return None if line.durationStart is None else seconds_of(line.durationStart, f"{path}[{place}].durationStart")


def _span(line: RateLine, path: str, start_s: int | None, before: Sequence[_Span], *, only: bool) -> _Span:
    expected_s = before[-1].end_s if before else 0
    if expected_s is None:
        raise ApdsRefused(f"{path}: the line before has no durationEnd, so the tiers overlap")
    period_s = None if line.incrementPeriod is None else seconds_of(line.incrementPeriod, f"{path}.incrementPeriod")
    if period_s == 0:
        raise ApdsRefused(f"{path}.incrementPeriod: must be longer than nothing")
    start_s = expected_s if start_s is None else start_s
    if start_s < expected_s:
        raise ApdsRefused(f"{path}: overlaps the line before")
    if start_s > expected_s:
        raise ApdsRefused(f"{path}: leaves a gap after the line before")
    end_s: int | None = None
    if line.durationEnd is not None:
        end_s = _inclusive_end_s(seconds_of(line.durationEnd, f"{path}.durationEnd"))
    elif line.durationStart is None and not only and period_s is not None:
        end_s = start_s + period_s
    if end_s is not None and end_s <= start_s:
        raise ApdsRefused(f"{path}: ends before it starts")
    return _Span(line, path, start_s, end_s, period_s)


def _inclusive_end_s(seconds: int) -> int:
    """Some write the last whole second (3599) for a bound that includes its last instant (one hour)."""
    return seconds + 1 if seconds % 60 == 59 else seconds


def _prices(spans: Sequence[_Span], exponent: int, facts: Facts) -> list[int]:
    values = [minor_of(span.line.value, exponent, f"{span.path}.value") for span in spans]
    if all(span.period_s is not None for span in spans):
        return values
    if facts.ask("values", "increments", "a line has no incrementPeriod") == "increments":
        return values
    if any(span.period_s is not None for span in spans):
        raise ApdsRefused(f"{spans[0].path}: cumulative values beside values for each incrementPeriod")
    prices = [value - before for value, before in zip(values, [0, *values], strict=False)]
    if any(price < 0 for price in prices):
        raise ApdsRefused(f"{spans[0].path}: cumulative values must not fall")
    return prices


def _step(span: _Span, price: int) -> dict[str, Any]:
    extent_s = None if span.end_s is None else span.end_s - span.start_s
    tier = span.line.rateLineType == "flatRateTier"
    if tier and extent_s is not None and span.period_s not in (None, extent_s):
        raise ApdsRefused(f"{span.path}: a flatRateTier is charged once, but its incrementPeriod is not its length")
    unit_s = span.period_s or extent_s
    if unit_s is None and not tier:
        raise ApdsRefused(f"{span.path}: neither an incrementPeriod nor a durationEnd says how long a unit is")
    step: dict[str, Any] = {"unit": "all" if unit_s is None else _duration(unit_s), "price": price}
    return step if extent_s is None else {**step, "for": _duration(extent_s)}


def _duration(seconds: int) -> int | str:
    """As the tariff language writes it: minutes, or seconds as text."""
    minutes, rest = divmod(seconds, 60)
    return f"{seconds}s" if rest else minutes
