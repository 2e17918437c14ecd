"""Phones and plates have one spelling each, whatever people type."""

import pytest

from parkflow.account.rules import InvalidPhone, InvalidPlate, new_one_time_code, normal_phone, normal_plate


@pytest.mark.parametrize(
    ("typed", "phone"),
    [
        ("+8613800138000", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("+1 (434) 555.0123", "+14345550123"),
    ],
)
def test_a_phone_is_written_without_separators(typed: str, phone: str) -> None:
    assert normal_phone(typed) == phone


@pytest.mark.parametrize(
    "typed", ["", "13800138000", "+0138001380", "+86138001380001234", "+8613800a38000", "+١٢٣٤٥٦٧٨"]
)
def test_what_is_not_e164_is_no_phone(typed: str) -> None:
    with pytest.raises(InvalidPhone):
        normal_phone(typed)


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        ("abc-1234", "ABC1234"),
        ("京A·12345", "京A12345"),
        ("京A・12345", "京A12345"),
        ("京A\uff6512345", "京A12345"),
        ("ＡＢＣ　１２３", "ABC123"),
        ("xyz 9", "XYZ9"),
        ("m\u2013ab\u00a01\t2", "MAB12"),
    ],
)
def test_a_plate_is_written_in_capitals_without_separators(typed: str, plate: str) -> None:
    assert normal_plate(typed) == plate


@pytest.mark.parametrize("typed", ["", "A", "A" * 13, "AB_12", "AB'12"])
def test_what_is_not_letters_and_digits_is_no_plate(typed: str) -> None:
    with pytest.raises(InvalidPlate):
        normal_plate(typed)


def test_a_one_time_code_keeps_its_leading_zeros() -> None:
    codes = {new_one_time_code(2) for _ in range(2_000)}
    assert all(len(code) == 2 and code.isdecimal() for code in codes)
    assert any(code.startswith("0") for code in codes)
