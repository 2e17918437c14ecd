"""What a phone number, a plate and a one-time code look like."""

import re
import secrets
import unicodedata
from typing import Final

from parkflow.kit.errors import ParkflowError

PLATE_LENGTH_MAX: Final = 12
# E.164 (ITU-T): a country code that does not begin with 0, at most 15 digits in all.
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_SEPARATORS: Final = str.maketrans("", "", " -().")
# Printed and typed between the characters of a plate, on no plate a character of its own.
_PLATE_DOTS: Final = frozenset(".·•・‧∙⋅")


class InvalidPhone(ParkflowError):
    """A phone number is written with its country code, such as +8613800138000 or +14345550123."""

    code = "invalid_phone"
    status = 422


class InvalidPlate(ParkflowError):
    """A plate has 2 to 12 letters and digits."""

    code = "invalid_plate"
    status = 422


def normal_phone(text: str) -> str:
    """The number in E.164. Raises InvalidPhone, which does not repeat it."""
    phone = text.translate(_PHONE_SEPARATORS)
    if not _PHONE.fullmatch(phone):
        raise InvalidPhone
    return phone


def normal_plate(text: str) -> str:
    """The plate as it is compared, wherever it comes from. Raises InvalidPlate, which does not repeat it.

    Capitals without spaces, dashes and dots; compatibility forms are folded (NFKC), so that a full-width letter is the
    same as a plain one. Characters of any script stay, as the province's on a Chinese plate.
    """
    folded = unicodedata.normalize("NFKC", text).upper()
    plate = "".join(char for char in folded if not _separates(char))
    if not (2 <= len(plate) <= PLATE_LENGTH_MAX and plate.isalnum()):
        raise InvalidPlate
    return plate


def _separates(char: str) -> bool:
    return char.isspace() or char in _PLATE_DOTS or unicodedata.category(char) == "Pd"


def new_one_time_code(digits: int) -> str:
    """A random code of so many decimal digits, leading zeros kept."""
    return f"{secrets.randbelow(10**digits):0{digits}d}"
