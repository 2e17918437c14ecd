"""Money: integers of minor units with the currency beside them."""

from collections.abc import Sequence
from typing import Final, NewType

from parkflow.kit.errors import ParkflowError

Minor = NewType("Minor", int)
"""An amount in minor units (cents, fen) of the currency named beside it."""

BASIS_POINTS: Final = 10_000

# ISO 4217 minor-unit exponents of the currencies that parkflow has met; 2 is common but is never assumed.
_EXPONENTS: Final = {
    "AUD": 2, "BHD": 3, "CAD": 2, "CHF": 2, "CNY": 2, "DKK": 2, "EUR": 2, "GBP": 2, "HKD": 2, "INR": 2, "JPY": 0,
    "KRW": 0, "KWD": 3, "MOP": 2, "MYR": 2, "NOK": 2, "NZD": 2, "OMR": 3, "SEK": 2, "SGD": 2, "THB": 2, "TWD": 2,
    "USD": 2, "VND": 0,
}  # fmt: skip


class UnknownCurrency(ParkflowError):
    """A currency is given by its ISO 4217 code, such as CNY or USD."""

    code = "unknown_currency"
    status = 422


def currency_exponent(currency: str) -> int:
    """How many decimal digits the currency's minor unit has. Raises UnknownCurrency."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(f"currency {currency!r} is unknown; known: {', '.join(sorted(_EXPONENTS))}") from None


def format_minor(amount_minor: int, currency: str) -> str:
    """`1234, "USD"` -> `12.34 USD`, `500, "JPY"` -> `500 JPY`, thousands grouped with commas."""
    exponent = currency_exponent(currency)
    sign = "-" if amount_minor < 0 else ""
    whole, part = divmod(abs(amount_minor), 10**exponent)
    decimals = f".{part:0{exponent}d}" if exponent else ""
    return f"{sign}{whole:,}{decimals} {currency}"


def split_minor(total_minor: int, shares_bp: Sequence[int]) -> list[Minor]:
    """Split a total >= 0 by shares in basis points that sum to at most 10,000.

    Returns one part per share, each rounded down, and last the rest by subtraction: the parts always sum to the total.
    """
    assert total_minor >= 0, f"only an amount that is not negative can be split, not {total_minor}"
    assert all(share >= 0 for share in shares_bp), "a share is not negative"
    assert sum(shares_bp) <= BASIS_POINTS, f"shares sum to {sum(shares_bp)} basis points, more than the whole"
    parts = [Minor(total_minor * share // BASIS_POINTS) for share in shares_bp]
    return [*parts, Minor(total_minor - sum(parts))]
