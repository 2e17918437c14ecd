"""A lot's own rules (its policy): which limits apply at its gates, and what happens to passages that nobody saw."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Final, assert_never

from parkflow.kit.errors import ParkflowError


class Direction(StrEnum):
    """Which way a lane leads."""

    ENTRY = "entry"
    EXIT = "exit"
    BOTH = "both"


class LotQrPurpose(StrEnum):
    """What a driver does at a sign."""

    ENTRY = "entry"
    PREPAY = "prepay"
    EXIT = "exit"


class ExitDenied(StrEnum):
    """What a gate does with a denied code at an exit; a car inside is never trapped."""

    ACCEPT = "accept"  # open and flag; the passage is charged like any other
    PAY = "pay"  # pay at the lane


class RiskOutcome(StrEnum):
    """What a gate does with a good code when little is known of it."""

    FLAG = "flag"  # let through and report
    REFUSE = "refuse"


class MissingExit(StrEnum):
    """What becomes of a stay whose exit no gate has seen, once it is waited for no longer."""

    ABANDON = "abandon"  # nothing is charged
    NEXT_ENTRY = "next_entry"  # it ended when the card came in again; without that it is abandoned
    MAXIMUM = "maximum"  # it lasted `missing_minutes`, or until the card came in again
    OPERATOR = "operator"  # a person decides


class MissingEntry(StrEnum):
    """What becomes of an exit whose entry no gate has seen, once it is waited for no longer."""

    REJECT = "reject"  # nothing is charged
    MAXIMUM = "maximum"  # the stay had lasted `missing_minutes`, or since the card had left
    OPERATOR = "operator"  # a person decides


class InvalidLot(ParkflowError):
    """A lot needs a reference, a name, an IANA time zone and a policy of known fields."""

    code = "invalid_lot"
    status = 422


# Smallest and largest value of each whole-number field: beyond them a slip of the pen is likelier than a wish.
_LIMITS: Final = {
    "code_age_max_seconds": (5, 3_600),
    "skew_seconds": (0, 600),
    "missing_exit_hours": (1, 24 * 31),
    "passback_seconds": (0, 24 * 3_600),
    "missing_minutes": (1, 31 * 24 * 60),
}
_CHOICES: Final[Mapping[str, type[StrEnum]]] = {
    "exit_denied": ExitDenied,
    "missing_exit": MissingExit,
    "missing_entry": MissingEntry,
}
_RISK_LIMITS: Final = {
    "ceiling_from": (0, 65_535),
    "code_age_from_seconds": (0, 65_535),
    "bundle_age_from_seconds": (0, 30 * 24 * 3_600),
}
RISK_RULES_MAX: Final = 16
_DAY_SECONDS: Final = 24 * 3_600


@dataclass(frozen=True, slots=True)
class RiskRule:
    """A rule of the offline risk budget: from all three on, the outcome; the strictest rule that matches counts.

    ceiling_from: credentials of at least this ceiling, whole currency units; one without a limit is above all.
    code_age_from_seconds, bundle_age_from_seconds: how long ago the code was made and the bundle was last confirmed.
    """

    outcome: RiskOutcome
    ceiling_from: int = 0
    code_age_from_seconds: int = 0
    bundle_age_from_seconds: int = 0


# Who was frozen since is not known at the gate: after a day without news somebody should look at what went through.
DEFAULT_RISK: Final = (RiskRule(RiskOutcome.FLAG, bundle_age_from_seconds=_DAY_SECONDS),)


@dataclass(frozen=True, slots=True)
class LotPolicy:
    """The rules of one lot.

    code_age_max_seconds, skew_seconds: how old a code may be, and by how much phone and gate clocks may differ.
    missing_exit_hours: how long an exit or an entry that no gate has seen is waited for (and longer, until every gate
    has uploaded past it); a stay that was given up is taken up again by an exit within these hours of its entry.
    missing_exit, missing_entry: what is done then. missing_minutes: how long a stay with one end lasted, for `maximum`.
    passback_seconds: how long a gate takes no second passage of a card in one direction; 0 = it does.
    risk: when a gate flags or refuses good codes because its own knowledge is old.
    """

    code_age_max_seconds: int = 30
    skew_seconds: int = 30
    exit_denied: ExitDenied = ExitDenied.ACCEPT
    missing_exit_hours: int = 48
    passback_seconds: int = 60
    missing_exit: MissingExit = MissingExit.ABANDON
    missing_entry: MissingEntry = MissingEntry.REJECT
    missing_minutes: int = 24 * 60
    risk: tuple[RiskRule, ...] = DEFAULT_RISK

    def to_json(self) -> dict[str, object]:
        """The form in which it is stored: every field, so that a later change of the defaults changes no lot."""
        return asdict(self)


def lot_qr_fits(purpose: LotQrPurpose, direction: Direction) -> bool:
    """Whether a sign for `purpose` may stand at a lane: nobody drives in where the lane leads out."""
    match purpose:
        case LotQrPurpose.ENTRY:
            return direction in (Direction.ENTRY, Direction.BOTH)
        case LotQrPurpose.EXIT:
            return direction in (Direction.EXIT, Direction.BOTH)
        case LotQrPurpose.PREPAY:
            return True
        case _:
            assert_never(purpose)


def lot_policy(given: Mapping[str, object]) -> LotPolicy:
    """The policy with the fields of `given`, the others as by default. Raises InvalidLot, naming the field."""
    known = {field.name for field in fields(LotPolicy)}
    for name, value in given.items():
        if name not in known:
            raise InvalidLot(f"policy field {name[:40]!r} is unknown; known: {', '.join(sorted(known))}")
        if name in _CHOICES:
            _require_choice(name, value, _CHOICES[name])
        elif name != "risk":
            _require_within(name, value, _LIMITS[name])
    numbers = {name: given.get(name, getattr(LotPolicy(), name)) for name in _LIMITS}
    return LotPolicy(
        code_age_max_seconds=int(str(numbers["code_age_max_seconds"])),
        skew_seconds=int(str(numbers["skew_seconds"])),
        exit_denied=ExitDenied(str(given.get("exit_denied", ExitDenied.ACCEPT))),
        missing_exit_hours=int(str(numbers["missing_exit_hours"])),
        passback_seconds=int(str(numbers["passback_seconds"])),
        missing_exit=MissingExit(str(given.get("missing_exit", MissingExit.ABANDON))),
        missing_entry=MissingEntry(str(given.get("missing_entry", MissingEntry.REJECT))),
        missing_minutes=int(str(numbers["missing_minutes"])),
        risk=_risk_rules(given["risk"]) if "risk" in given else DEFAULT_RISK,
    )


def _risk_rules(given: object) -> tuple[RiskRule, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > RISK_RULES_MAX:
        raise InvalidLot(f"policy field risk is a list of at most {RISK_RULES_MAX} rules")
    rules = tuple(_risk_rule(f"risk[{place}]", rule) for place, rule in enumerate(given))
    if len(set(rules)) != len(rules):
        raise InvalidLot("policy field risk has the same rule twice")
    return rules


def _risk_rule(name: str, given: object) -> RiskRule:
    if not isinstance(given, Mapping) or "outcome" not in given or given.keys() - {"outcome", *_RISK_LIMITS}:
        raise InvalidLot(f"policy field {name} has an outcome and may have {', '.join(_RISK_LIMITS)}")
    _require_choice(f"{name}.outcome", given["outcome"], RiskOutcome)
    numbers = {field: given.get(field, 0) for field in _RISK_LIMITS}
    for field, value in numbers.items():
        _require_within(f"{name}.{field}", value, _RISK_LIMITS[field])
    return RiskRule(RiskOutcome(given["outcome"]), **numbers)


def _require_choice(name: str, value: object, kind: type[StrEnum]) -> None:
    choices = [str(choice) for choice in kind]
    if value not in choices:
        raise InvalidLot(f"policy field {name} is one of {', '.join(choices)}, not {value!r}")


def _require_within(name: str, value: object, limits: tuple[int, int]) -> None:
    low, high = limits
    # True is an int to Python, and no number to people.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidLot(f"policy field {name} is a whole number from {low} to {high}, not {value!r}")
