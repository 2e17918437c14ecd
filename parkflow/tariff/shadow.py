"""The shadow run: what past stays would cost under another version, who pays more and who less, and how much in all."""

import heapq
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from parkflow.core import AccountHistory, Tariff, TariffError, Terms
from parkflow.kit.money import BASIS_POINTS
from parkflow.tariff.rules import HISTORY_KEPT

FORMAT: Final = "parkflow tariff shadow 1"
Price = int | str
"""A fee in minor units, or the code of why there is none."""

# As the live pipeline does, so that an account's history stays small.
_HISTORY_KEPT_S: Final = int(HISTORY_KEPT.total_seconds())
_EXAMPLES_MAX: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PastStay:
    """A stay that is over, instants in seconds since 1970, UTC.

    label: how people find it (a line, an id). account: whose stays count together; None: nobody's.
    """

    label: str
    entry_s: int
    exit_s: int
    vehicle_class: str | None = None
    tags: tuple[str, ...] = ()
    account: str | None = None
    terms: Terms | None = None


class Pricer:
    """Prices stays by one version, as if it had been valid at their time.

    Those of an account must come in order of exit; each account begins with a fresh history.
    """

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = _valid_always(tariff)
        self._histories: dict[str, AccountHistory] = {}

    def prices(self, stays: Sequence[PastStay]) -> list[Price]:
        """One price per stay, in their order."""
        prices: list[Price] = [0] * len(stays)
        alike: dict[tuple[str | None, tuple[str, ...]], list[int]] = {}
        for place, stay in enumerate(stays):
            if self.tariff.needs_history or stay.terms is not None:
                prices[place] = self._settled(stay)
            else:
                alike.setdefault((stay.vehicle_class, stay.tags), []).append(place)
        for places in alike.values():
            for place, price in zip(places, self._alone([stays[place] for place in places]), strict=True):
                prices[place] = price
        return prices

    def _alone(self, stays: Sequence[PastStay]) -> Sequence[Price]:
        """Prices of stays of one class with the same tags, each by itself."""
        first = stays[0]
        try:
            return self.tariff.price_many(
                [stay.entry_s for stay in stays],
                [stay.exit_s for stay in stays],
                vehicle_class=first.vehicle_class,
                tags=first.tags,
            )
        except TariffError:
            # A batch is refused as a whole; one by one each stay has its own reason.
            return [self._settled(stay) for stay in stays]

    def _settled(self, stay: PastStay) -> Price:
        history = AccountHistory() if stay.account is None else self._histories.get(stay.account, AccountHistory())
        try:
            fee = self.tariff.settle(
                entry_s=stay.entry_s,
                exit_s=stay.exit_s,
                vehicle_class=stay.vehicle_class,
                tags=stay.tags,
                terms=stay.terms,
                history=history,
            )
        except TariffError as error:
            return error.code
        if stay.account is not None and self.tariff.needs_history:
            history.forget_before(stay.exit_s - _HISTORY_KEPT_S, self.tariff.shared_window_s)
            self._histories[stay.account] = history
        return fee.fee_minor


@dataclass(slots=True)
class Sums:
    """Stays priced both ways: how many, what they paid and would pay in minor units, how many pay more or less."""

    stays: int = 0
    before_minor: int = 0
    after_minor: int = 0
    more: int = 0
    less: int = 0

    def add(self, before_minor: int, after_minor: int) -> None:
        self.stays += 1
        self.before_minor += before_minor
        self.after_minor += after_minor
        self.more += after_minor > before_minor
        self.less += after_minor < before_minor

    @property
    def same(self) -> int:
        return self.stays - self.more - self.less

    @property
    def difference_minor(self) -> int:
        return self.after_minor - self.before_minor

    @property
    def difference_bp(self) -> int | None:
        """The difference in basis points of what was paid, to the nearest; None when nothing was paid."""
        if self.before_minor == 0:
            return None
        nearest = (abs(self.difference_minor) * 2 * BASIS_POINTS + self.before_minor) // (2 * self.before_minor)
        return nearest if self.difference_minor >= 0 else -nearest

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "same": self.same,
            "difference_minor": self.difference_minor,
            "difference_bp": self.difference_bp,
        }


@dataclass(slots=True)
class Refusals:
    """Stays that a version cannot price: how many for each reason, and the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, code: str, label: str) -> None:
        self.counts[code] += 1
        if self.counts[code] <= _EXAMPLES_MAX:
            self.examples.setdefault(code, []).append(label)

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {"code": code, "stays": count, "examples": self.examples[code]}
            for code, count in sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        ]


class Comparison:
    """Adds up stays with their two prices; what it keeps does not grow with their number."""

    def __init__(self, local_hour: Callable[[int], int], *, top: int = 20) -> None:
        self.stays = 0
        self.sums = Sums()
        self.unpriced_before, self.unpriced_after = Refusals(), Refusals()
        self.by_class: dict[str, Sums] = {}
        self.by_hour: dict[int, Sums] = {}
        self.histogram: Counter[int] = Counter()
        self._local_hour, self._top = local_hour, top
        self._rises: list[tuple[int, int, dict[str, Any]]] = []
        self._falls: list[tuple[int, int, dict[str, Any]]] = []

    def add(self, stays: Sequence[PastStay], before: Sequence[Price], after: Sequence[Price]) -> None:
        for stay, old, new in zip(stays, before, after, strict=True):
            self.stays += 1
            if isinstance(old, str):
                self.unpriced_before.add(old, stay.label)
            if isinstance(new, str):
                self.unpriced_after.add(new, stay.label)
            if isinstance(old, int) and isinstance(new, int):
                self._add_priced(stay, old, new)

    def _add_priced(self, stay: PastStay, before_minor: int, after_minor: int) -> None:
        self.sums.add(before_minor, after_minor)
        self.by_class.setdefault(stay.vehicle_class or "", Sums()).add(before_minor, after_minor)
        self.by_hour.setdefault(self._local_hour(stay.entry_s), Sums()).add(before_minor, after_minor)
        difference = after_minor - before_minor
        self.histogram[bucket_of_difference(difference)] += 1
        if difference == 0 or self._top == 0:
            return
        heap = self._rises if difference > 0 else self._falls
        # Of equal ones the first seen stays; the running number also keeps the rows themselves from being compared.
        if len(heap) < self._top:
            heapq.heappush(heap, (abs(difference), -self.stays, _row(stay, before_minor, after_minor)))
        elif heap[0] < (abs(difference), -self.stays):
            heapq.heapreplace(heap, (abs(difference), -self.stays, _row(stay, before_minor, after_minor)))

    @property
    def rises(self) -> list[dict[str, Any]]:
        """The largest rises, the largest first."""
        return [row for _, _, row in sorted(self._rises, key=lambda item: item[:2], reverse=True)]

    @property
    def falls(self) -> list[dict[str, Any]]:
        return [row for _, _, row in sorted(self._falls, key=lambda item: item[:2], reverse=True)]

    def to_json(self) -> dict[str, Any]:
        """One object; amounts in minor units, a histogram's bounds are both in it."""
        return {
            "format": FORMAT,
            "stays": self.stays,
            "compared": self.sums.to_json(),
            "unpriced_before": self.unpriced_before.to_json(),
            "unpriced_after": self.unpriced_after.to_json(),
            "rises": self.rises,
            "falls": self.falls,
            "histogram": [
                {"from_minor": bounds[0], "to_minor": bounds[1], "stays": self.histogram[number]}
                for number in sorted(self.histogram)
                if (bounds := bounds_of_bucket(number))
            ],
            "by_class": {name: self.by_class[name].to_json() for name in sorted(self.by_class)},
            "by_hour": {str(hour): self.by_hour[hour].to_json() for hour in sorted(self.by_hour)},
        }


def _valid_always(tariff: Tariff) -> Tariff:
    """The tariff without the days of its validity: a version that begins next month is tried on last month's stays."""
    if tariff.valid_from_s is None and tariff.valid_to_s is None:
        return tariff
    fields = json.loads(tariff.canonical_json)
    del fields["valid"]
    return Tariff.load(json.dumps(fields))


def local_hour_of(tariff: Tariff) -> Callable[[int], int]:
    """The hour on the clock of the tariff's zone at an instant in seconds since 1970."""

    def hour(instant_s: int) -> int:
        text = tariff.local_text(instant_s)
        assert text is not None, "a priced stay's entry is an instant"
        return int(text[11:13])

    return hour


def bucket_of_difference(difference_minor: int) -> int:
    """The number of the bucket: 0 for nothing, then 1, 2, up to 5, 10, 20, 50 and so on; below nothing the same."""
    number, bound = 0, 0
    while bound < abs(difference_minor):
        number += 1
        bound = _bound(number)
    return number if difference_minor >= 0 else -number


def bounds_of_bucket(number: int) -> tuple[int, int]:
    """The least and the greatest difference of a bucket."""
    if number == 0:
        return 0, 0
    least, greatest = _bound(abs(number) - 1) + 1, _bound(abs(number))
    return (least, greatest) if number > 0 else (-greatest, -least)


def _bound(number: int) -> int:
    """0, 1, 2, 5, 10, 20, 50, 100, …"""
    return 0 if number == 0 else (1, 2, 5)[(number - 1) % 3] * 10 ** ((number - 1) // 3)


def _row(stay: PastStay, before_minor: int, after_minor: int) -> dict[str, Any]:
    return {
        "stay": stay.label,
        "entry": _instant_text(stay.entry_s),
        "exit": _instant_text(stay.exit_s),
        "vehicle_class": stay.vehicle_class,
        "before_minor": before_minor,
        "after_minor": after_minor,
        "difference_minor": after_minor - before_minor,
    }


def _instant_text(instant_s: int) -> str:
    return (_EPOCH + timedelta(seconds=instant_s)).isoformat().replace("+00:00", "Z")
