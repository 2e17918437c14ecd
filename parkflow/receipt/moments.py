"""Instants, lengths of time, amounts and rates as people read them, in one language; pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from parkflow import core
from parkflow.receipt.texts import TEXTS

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUS: Final = "−"
_BASIS_POINTS_PER_PERCENT: Final = 100


class Speech:
    """One language with a tariff's zone and money.

    Raises KeyError for a language without texts.
    """

    def __init__(self, language: str, tariff: core.Tariff) -> None:
        self.language = language
        self.texts: Mapping[str, str] = TEXTS[language]
        self._tariff = tariff

    def say(self, key: str, **values: object) -> str:
        """The text of a key with its values; values are never read as formats."""
        return self.texts[key].format(**values)

    def local(self, instant_s: int) -> datetime:
        """What the lot's clock showed, with its offset."""
        text = self._tariff.local_text(instant_s)
        # The engine refuses instants that have no local text, and a receipt is shown only after it priced the stay.
        assert text is not None, f"{instant_s} has a local time"
        return datetime.fromisoformat(text)

    def moment(self, instant_s: int) -> str:
        """Date and time of day, seconds only where they are not 0."""
        return self._dated("moment", self.local(instant_s))

    def moment_short(self, instant_s: int) -> str:
        """Without weekday and year."""
        return self._dated("moment_short", self.local(instant_s))

    def span(self, from_s: int, to_s: int) -> str:
        """A stretch of time; the date stands once where it is one date with one offset."""
        start, end = self.local(from_s), self.local(to_s)
        if start.date() != end.date():
            return f"{self._dated('moment_short', start)} – {self._dated('moment_short', end)}"
        offsets = (start, end) if start.utcoffset() != end.utcoffset() else ()
        from_time, to_time = time_of_day(start), time_of_day(end)
        if offsets:
            from_time, to_time = f"{from_time} (UTC{offset_of(start)})", f"{to_time} (UTC{offset_of(end)})"
        return self.say(
            "span_one_day",
            day=start.day,
            month=self.texts[f"month_{start.month}"],
            from_time=from_time,
            to_time=to_time,
        )

    def length(self, seconds: int) -> str:
        """`1 h 30 min`; nothing is `0 min`."""
        hours, rest = divmod(seconds, 3_600)
        minutes, left = divmod(rest, 60)
        parts = [("hours", hours), ("minutes", minutes), ("seconds", left)]
        said = [self.say(key, count=count) for key, count in parts if count]
        return self.texts["length_joint"].join(said) or self.say("minutes", count=0)

    def amount(self, amount_minor: int) -> str:
        """A decimal with the digits of the tariff's minor unit, without the currency."""
        exponent = self._tariff.minor_exponent
        whole, part = divmod(abs(amount_minor), 10**exponent)
        decimals = f".{part:0{exponent}d}" if exponent else ""
        return f"{_MINUS if amount_minor < 0 else ''}{whole:,}{decimals}"

    def _dated(self, key: str, at: datetime) -> str:
        return self.say(
            key,
            weekday=self.texts[WEEKDAYS[at.weekday()]],
            day=at.day,
            month=self.texts[f"month_{at.month}"],
            year=at.year,
            time=time_of_day(at),
        )


def time_of_day(at: datetime) -> str:
    """`18:10`, or `18:10:05` where there are seconds."""
    return at.strftime("%H:%M:%S" if at.second else "%H:%M")


def offset_of(at: datetime) -> str:
    """`+08:00`."""
    return at.isoformat()[-6:].replace("-", _MINUS)


def percent(rate_bp: int) -> str:
    """Basis points as percent: 1550 is `15.5`."""
    whole, part = divmod(rate_bp, _BASIS_POINTS_PER_PERCENT)
    return f"{whole}.{part:02d}".rstrip("0").rstrip(".")
