"""A lot's own rules (its policy): which limits apply at its gates, and what happens to exits that never come."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Final

from parkflow.kit.errors import ParkflowError


class Direction(StrEnum):
    """Which way a lane leads."""

    ENTRY = "entry"
    EXIT = "exit"
    BOTH = "both"


class ExitDenied(StrEnum):
    """What a gate does with a denied code at an exit; a car inside is never trapped."""

    ACCEPT = "accept"  # open and flag; the passage is charged like any other
    PAY = "pay"  # pay at the lane


class InvalidLot(ParkflowError):
    """A lot needs a reference, a name, an IANA time zone and a policy of known fields."""

    code = "invalid_lot"
    status = 422


# Smallest and largest value of each whole-number field: beyond them a slip of the pen is likelier than a wish.
_LIMITS: Final = {
    "code_age_max_seconds": (5, 3_600),
    "skew_seconds": (0, 600),
    "missing_exit_hours": (1, 24 * 31),
}


@dataclass(frozen=True, slots=True)
class LotPolicy:
    """The rules of one lot.

    code_age_max_seconds, skew_seconds: how old a code may be, and by how much phone and gate clocks may differ.
    missing_exit_hours: after how long a stay whose exit never came is abandoned (not before every gate has uploaded).
    """

    code_age_max_seconds: int = 30
    skew_seconds: int = 30
    exit_denied: ExitDenied = ExitDenied.ACCEPT
    missing_exit_hours: int = 48

    def to_json(self) -> dict[str, object]:
        """The form in which it is stored: every field, so that a later change of the defaults changes no lot."""
        return asdict(self)


def lot_policy(given: Mapping[str, object]) -> LotPolicy:
    """The policy with the fields of `given`, the others as by default. Raises InvalidLot, naming the field."""
    known = {field.name for field in fields(LotPolicy)}
    for name, value in given.items():
        if name not in known:
            raise InvalidLot(f"policy field {name[:40]!r} is unknown; known: {', '.join(sorted(known))}")
        if name == "exit_denied":
            _require_choice(name, value)
        else:
            _require_within(name, value)
    values = {**asdict(LotPolicy()), **given}
    return LotPolicy(
        code_age_max_seconds=int(str(values["code_age_max_seconds"])),
        skew_seconds=int(str(values["skew_seconds"])),
        exit_denied=ExitDenied(str(values["exit_denied"])),
        missing_exit_hours=int(str(values["missing_exit_hours"])),
    )


def _require_choice(name: str, value: object) -> None:
    choices = [str(choice) for choice in ExitDenied]
    if value not in choices:
        raise InvalidLot(f"policy field {name} is one of {', '.join(choices)}, not {value!r}")


def _require_within(name: str, value: object) -> None:
    low, high = _LIMITS[name]
    # True is an int to Python, and no number to people.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidLot(f"policy field {name} is a whole number from {low} to {high}, not {value!r}")
