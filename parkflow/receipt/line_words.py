"""Each line of a fee in words: which rule of the tariff made it, and with which numbers; pure.

The lines name their band, cap or voucher; what those say is looked up in the tariff's own text. Where a rule is
written in a way that this file does not know, the line still says its band, units and amount.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from parkflow.receipt.document import Json, Line, Record
from parkflow.receipt.moments import WEEKDAYS, Speech, percent

# `LineKind` of the core; a receipt with another kind names it as it is.
LINE_KINDS: Final = (
    "free", "units", "entry_fee", "cap", "minimum", "rounding", "discount", "tax", "before",
)  # fmt: skip
_LENGTH: Final = re.compile(r"(?:([0-9]{1,10})h)?(?:([0-9]{1,10})m)?(?:([0-9]{1,10})s)?", re.ASCII)
_CAP: Final = re.compile(r"caps\[([0-9]{1,4})\]", re.ASCII)
_DAY: Final = re.compile(rf"({'|'.join(WEEKDAYS)})(?:-({'|'.join(WEEKDAYS)}))?")


@dataclass(frozen=True, slots=True)
class LineWords:
    """One line for people; `amount` is a decimal without currency."""

    title: str
    detail: str
    amount: str
    lowers: bool


class LineTeller:
    """Tells the lines of one record by the text of its tariff."""

    def __init__(self, speech: Speech, tariff: Json, record: Record) -> None:
        self._speech = speech
        self._tariff = tariff
        self._record = record
        plans = [_map(plan) for plan in _list(tariff.get("plans"))]
        self._plan: Json = next((plan for plan in plans if plan.get("id") == record.plan), {})

    def tell(self, line: Line) -> LineWords:
        """The line in words; an unknown kind is named as it is."""
        title, detail = self._told(line)
        return LineWords(title, detail, self._speech.amount(line.amount_minor), lowers=line.amount_minor < 0)

    def _told(self, line: Line) -> tuple[str, str]:
        """(title, detail); what is about some time has that time as its title."""
        say = self._speech.say
        if line.kind == "units":
            return self._speech.span(line.from_s, line.to_s), self._units(line)
        if line.kind == "free" and line.band != "grace":
            return self._speech.span(line.from_s, line.to_s), say("free_detail")
        if line.kind not in LINE_KINDS:
            return line.kind, line.band
        return say("grace" if line.kind == "free" else line.kind), self._detail(line)

    def _detail(self, line: Line) -> str:
        say = self._speech.say
        match line.kind:
            case "free":
                return self._grace()
            case "cap":
                return self._cap(line)
            case "minimum":
                return say("minimum_detail", min=self._speech.amount(_whole(self._plan.get("min"))))
            case "rounding":
                return self._rounding()
            case "discount":
                return self._discount(line)
            case "tax":
                return say("tax_detail", rate=percent(_whole(_map(self._tariff.get("tax")).get("rate_bp"))))
            case _:
                return say(f"{line.kind}_detail")

    def _units(self, line: Line) -> str:
        say, speech = self._speech.say, self._speech
        band = next((one for one in map(_map, _list(self._plan.get("bands"))) if one.get("id") == line.band), {})
        label = self._band_label(line.band, band)
        step = _step_of(line, [_map(step) for step in _list(band.get("ladder"))])
        if step is None:
            return say("units_plain", band=label, units=line.units)
        price_minor = _whole(step.get("price"))
        if price_minor == 0:
            return say("units_free", band=label)
        price = speech.amount(price_minor)
        if step.get("unit") == "all":
            return say("units_all", band=label, price=price)
        unit, bill_s = speech.length(_length_s(step.get("unit"))), _length_s(step.get("bill"))
        if bill_s:
            return say("units_share", band=label, units=line.units, bill=speech.length(bill_s), price=price, unit=unit)
        return say("units_each", band=label, units=line.units, unit=unit, price=price)

    def _band_label(self, name: str, band: Json) -> str:
        when = band.get("when")
        windows = [self._window(_map(one)) for one in (when if isinstance(when, list) else [when]) if one]
        times = self._speech.texts["list"].join(window for window in windows if window)
        name = self._speech.texts.get(f"band_{name}", name)
        return self._speech.say("when", band=name, times=times) if times else name

    def _window(self, when: Json) -> str:
        say = self._speech.say
        times = say("times", first=when["from"], last=when["to"]) if "from" in when and "to" in when else ""
        days = self._speech.texts["list"].join(self._day(str(day)) for day in _list(when.get("days")))
        return say("when_days", times=times, days=days).strip() if days else times

    def _day(self, token: str) -> str:
        if token.startswith("!"):
            return self._speech.say("not_on", day=self._day(token[1:]))
        match = _DAY.fullmatch(token)
        if match is None:
            return token
        first, last = self._speech.texts[match[1]], match[2]
        return self._speech.say("range", first=first, last=self._speech.texts[last]) if last else first

    def _grace(self) -> str:
        grace = _map(self._plan.get("grace"))
        key = "grace_strict_detail" if grace.get("strict") is True else "grace_detail"
        return self._speech.say(key, minutes=self._speech.length(_length_s(grace.get("minutes"))))

    def _cap(self, line: Line) -> str:
        match = _CAP.fullmatch(line.band)
        caps = _list(self._plan.get("caps"))
        number = int(match[1]) if match else len(caps)
        if number >= len(caps):
            return line.band
        cap = _map(caps[number])
        key = "cap_account_detail" if cap.get("scope") == "account" else "cap_detail"
        return self._speech.say(key, max=self._cap_max(cap.get("max")), over=self._cap_over(cap))

    def _cap_max(self, limit: object) -> str:
        limits = limit if isinstance(limit, list) else [limit]
        said = [self._speech.say("cap_none") if one is None else self._speech.amount(_whole(one)) for one in limits]
        if len(said) < 2:
            return "".join(said)
        return self._speech.say("cap_then", first=self._speech.texts["list"].join(said[:-1]), rest=said[-1])

    def _cap_over(self, cap: Json) -> str:
        say, over = self._speech.say, cap.get("over", "stay")
        bands = self._speech.texts["list"].join(str(band) for band in _list(cap.get("bands")))
        if isinstance(over, str) and f"over_{over}" in self._speech.texts:
            return say(f"over_{over}", bands=bands or say("all_bands"))
        window = _map(over)
        if "every" in window:
            return say("over_every", duration=self._speech.length(_length_s(window["every"])))
        if "daily" in window:
            return say("over_daily", time=window["daily"])
        turn = str(window.get("weekly", ""))
        day, _, time = turn.partition(" ")
        return say("over_weekly", time=f"{self._speech.texts.get(day, day)} {time}".strip())

    def _rounding(self) -> str:
        rounding = _map(self._tariff.get("round"))
        mode = self._speech.texts.get(f"mode_{rounding.get('mode', 'half_up')}", "")
        return self._speech.say("rounding_detail", mode=mode, to=self._speech.amount(_whole(rounding.get("to"), 1)))

    def _discount(self, line: Line) -> str:
        values = [value for kind, value in self._record.vouchers if kind == line.band]
        if len(values) != 1 or line.band not in ("percent", "amount", "points"):
            return self._speech.say("discount_plain")
        value = percent(values[0]) if line.band == "percent" else self._speech.amount(values[0])
        return self._speech.say(f"discount_{line.band}", value=value)


def _step_of(line: Line, ladder: Sequence[Json]) -> Json | None:
    """The step that makes this amount of so many units; the one that also fits the length of the line comes first."""
    fitting = [step for step in ladder if _makes(step, line)]
    return next((step for step in fitting if _lasts(step, line)), fitting[0] if fitting else None)


def _makes(step: Json, line: Line) -> bool:
    price_minor, unit_s, bill_s = _whole(step.get("price")), _length_s(step.get("unit")), _length_s(step.get("bill"))
    if bill_s and unit_s:
        # Shares are rounded once, at the end, so a line may be one minor unit away from its own share.
        return abs(line.units * price_minor * bill_s - line.amount_minor * unit_s) <= unit_s
    return line.units * price_minor == line.amount_minor


def _lasts(step: Json, line: Line) -> bool:
    if step.get("unit") == "all":
        return line.units == 1
    unit_s = _length_s(step.get("bill")) or _length_s(step.get("unit"))
    return (line.units - 1) * unit_s < line.to_s - line.from_s <= line.units * unit_s


def _length_s(value: object) -> int:
    """PTL/1: a number of minutes, or text such as `20s` or `1h30m`; 0 for anything else."""
    if type(value) is int:
        return value * 60
    match = _LENGTH.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return 0
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3_600 + minutes * 60 + seconds


def _whole(value: object, otherwise: int = 0) -> int:
    return value if type(value) is int else otherwise


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _map(value: object) -> Json:
    return dict(value) if isinstance(value, Mapping) else {}
