"""The steps of a fee: at which second of a stay it changes, found by pricing on a grid and halving its cells."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from parkflow.core import AccountHistory, Tariff

# The fees of stays of these lengths in seconds, all from the same entry.
PriceStays = Callable[[Sequence[int]], Sequence[int]]

# Windows and units of tariffs are minutes long or longer, or steps of one sign within a minute.
GRID_S: Final = 60
_SPAN_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class FeeStep:
    """From stays of `from_s` whole seconds on the fee is `fee_minor`, until the next step."""

    from_s: int
    fee_minor: int


@dataclass(frozen=True, slots=True)
class Parker:
    """Whose fee is asked for: the class of the vehicle and the tags of the stay."""

    vehicle_class: str | None = None
    tags: tuple[str, ...] = ()


def stays_from(tariff: Tariff, entry_s: int, parker: Parker) -> PriceStays:
    """Prices stays from `entry_s` on; where a tariff asks for an account, each is the first stay of one.

    Raises TariffError when a stay cannot be priced.
    """

    def settled(length_s: int) -> int:
        fee = tariff.settle(
            entry_s=entry_s,
            exit_s=entry_s + length_s,
            vehicle_class=parker.vehicle_class,
            tags=parker.tags,
            history=AccountHistory(),
        )
        return fee.fee_minor

    def price(lengths_s: Sequence[int]) -> Sequence[int]:
        if tariff.needs_history:
            return [settled(length_s) for length_s in lengths_s]
        return tariff.price_many(
            [entry_s] * len(lengths_s),
            [entry_s + length_s for length_s in lengths_s],
            vehicle_class=parker.vehicle_class,
            tags=parker.tags,
        )

    return price


def fee_steps(price: PriceStays, last_s: int) -> list[FeeStep]:
    """The steps of stays of 0 to `last_s` seconds, the first at 0.

    Exact to the second, for a fee that does not leave a level and come back to it within one minute.
    """
    grid = [*range(0, last_s, GRID_S), last_s]
    known = dict(zip(grid, price(grid), strict=True))
    cells = _changing([*itertools.pairwise(grid)], known)
    while any(high - low > 1 for low, high in cells):
        middles = [(low + high) // 2 for low, high in cells if high - low > 1]
        known.update(zip(middles, price(middles), strict=True))
        halves = [half for low, high in cells for half in _halves(low, high)]
        cells = _changing(halves, known)
    return [FeeStep(0, known[0]), *(FeeStep(high, known[high]) for _, high in cells)]


def next_rise(price: PriceStays, within_s: int) -> FeeStep | None:
    """The first second of 1 to `within_s` at which the fee is above that of second 0, exact as `fee_steps`, or None."""
    fee_minor = price([0])[0]
    # Hour by hour: most fees rise soon, and what comes later need not be priced.
    for start_s in range(0, within_s, _SPAN_S):
        span = fee_steps(_later(price, start_s), min(_SPAN_S, within_s - start_s))
        rise = next((step for step in span if step.fee_minor > fee_minor), None)
        if rise is not None:
            return FeeStep(start_s + rise.from_s, rise.fee_minor)
    return None


def _later(price: PriceStays, start_s: int) -> PriceStays:
    return lambda lengths_s: price([start_s + length_s for length_s in lengths_s])


def _halves(low: int, high: int) -> list[tuple[int, int]]:
    if high - low == 1:
        return [(low, high)]
    middle = (low + high) // 2
    return [(low, middle), (middle, high)]


def _changing(cells: Sequence[tuple[int, int]], fees: dict[int, int]) -> list[tuple[int, int]]:
    return [(low, high) for low, high in cells if fees[low] != fees[high]]
