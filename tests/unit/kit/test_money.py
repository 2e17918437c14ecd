"""Rules of money: whole minor units, parts that sum to the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.kit.money import UnknownCurrency, currency_exponent, format_minor, split_minor


@given(st.integers(0, 10**15), st.lists(st.integers(0, 2500), max_size=4))
def test_parts_sum_to_the_whole(total_minor: int, shares_bp: list[int]) -> None:
    parts = split_minor(total_minor, shares_bp)
    assert sum(parts) == total_minor
    assert len(parts) == len(shares_bp) + 1
    assert all(part >= 0 for part in parts)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [(1234, "USD", "12.34 USD"), (5, "CNY", "0.05 CNY"), (-5, "CNY", "-0.05 CNY"), (500, "JPY", "500 JPY"),
     (1_234_567_89, "CNY", "1,234,567.89 CNY"), (1234, "KWD", "1.234 KWD"), (0, "EUR", "0.00 EUR")],
)  # fmt: skip
def test_amounts_are_shown_with_their_currency(amount_minor: int, currency: str, text: str) -> None:
    assert format_minor(amount_minor, currency) == text


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(UnknownCurrency, match="XXQ"):
        currency_exponent("XXQ")
