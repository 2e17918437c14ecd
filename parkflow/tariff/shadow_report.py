"""A shadow run in words: totals, who pays more or less, the largest changes, and how many changed by how much."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from parkflow.tariff.shadow import Comparison, Refusals, Sums, bounds_of_bucket

_BAR_MAX: Final = 40


class Money:
    """Amounts of one currency as decimals."""

    def __init__(self, currency: str, minor_exponent: int) -> None:
        self.currency, self._exponent = currency, minor_exponent

    def text(self, amount_minor: int, *, signed: bool = False) -> str:
        """`-12.34`; with `signed` also `+12.34`."""
        whole, part = divmod(abs(amount_minor), 10**self._exponent)
        decimals = f".{part:0{self._exponent}}" if self._exponent else ""
        sign = "-" if amount_minor < 0 else "+" if signed and amount_minor > 0 else ""
        return f"{sign}{whole:,}{decimals}"


def lines(comparison: Comparison, money: Money) -> Iterator[str]:
    """The report, line by line."""
    sums = comparison.sums
    yield f"{comparison.stays:,} stays, {sums.stays:,} priced both ways, in {money.currency}"
    yield f"  before      {money.text(sums.before_minor):>16}"
    yield f"  after       {money.text(sums.after_minor):>16}"
    percent = "" if sums.difference_bp is None else f"  ({_percent(sums.difference_bp)})"
    yield f"  difference  {money.text(sums.difference_minor, signed=True):>16}{percent}"
    yield f"  pay more {sums.more:,}, less {sums.less:,}, the same {sums.same:,}"
    yield from _refused("before", comparison.unpriced_before, comparison.stays)
    yield from _refused("after", comparison.unpriced_after, comparison.stays)
    yield from _histogram(comparison, money)
    yield from _changes("largest rises", comparison.rises, money)
    yield from _changes("largest falls", comparison.falls, money)
    yield from _slices("by vehicle class", {name or "-": sums for name, sums in comparison.by_class.items()}, money)
    yield from _slices("by hour of entry", {f"{hour:02}": sums for hour, sums in comparison.by_hour.items()}, money)


def dry_check(comparison: Comparison) -> str:
    """The one line that an operator wants to read before a version is assigned."""
    refused = comparison.unpriced_after.counts.total()
    return f"{refused:,} of {comparison.stays:,} past stays could not be priced by this version"


def _refused(side: str, refusals: Refusals, stays: int) -> Iterator[str]:
    if refusals.counts:
        yield f"  cannot be priced {side}: {refusals.counts.total():,} of {stays:,}"
    for refusal in refusals.to_json():
        yield f"    {refusal['code']}: {refusal['stays']:,} (such as {', '.join(refusal['examples'])})"


def _histogram(comparison: Comparison, money: Money) -> Iterator[str]:
    if not comparison.histogram:
        return
    yield "differences"
    most = max(comparison.histogram.values())
    for number in sorted(comparison.histogram):
        least, greatest = (money.text(bound, signed=True) for bound in bounds_of_bucket(number))
        label = least if least == greatest else f"{least} … {greatest}"
        count = comparison.histogram[number]
        # A bucket that is not empty shows at least one mark.
        yield f"  {label:>26} {count:>10,} {'█' * max(1, count * _BAR_MAX // most)}"


def _changes(title: str, rows: Sequence[Mapping[str, Any]], money: Money) -> Iterator[str]:
    if rows:
        yield title
    for row in rows:
        amounts = f"{money.text(row['before_minor'])} -> {money.text(row['after_minor'])}"
        change = money.text(row["difference_minor"], signed=True)
        yield f"  {change:>12}  {amounts:<22} {row['stay']}  {row['entry']} – {row['exit']}"


def _slices(title: str, slices: Mapping[str, Sums], money: Money) -> Iterator[str]:
    if len(slices) < 2:
        return
    yield f"{title:<20} {'stays':>10} {'before':>16} {'after':>16} {'difference':>16} {'more':>9} {'less':>9}"
    for name, sums in sorted(slices.items()):
        yield (
            f"  {name:<18} {sums.stays:>10,} {money.text(sums.before_minor):>16} {money.text(sums.after_minor):>16}"
            f" {money.text(sums.difference_minor, signed=True):>16} {sums.more:>9,} {sums.less:>9,}"
        )


def _percent(basis_points: int) -> str:
    whole, part = divmod(abs(basis_points), 100)
    sign = "-" if basis_points < 0 else "+" if basis_points > 0 else ""
    return f"{sign}{whole:,}.{part:02} %"
