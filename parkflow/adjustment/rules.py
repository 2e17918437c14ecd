"""How the money follows a corrected stay; a pure decision over what its charges are worth now.

What is not paid yet is waived and, as far as it is still owed, raised again under an id of its own: the driver is asked
once for the right sum. What is paid goes back in part, or is added to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class StayCharge(NamedTuple):
    """One of the charges of a stay, the first one or one that an adjustment raised.

    state: the charge's. is_tried: an attempt may still take its money. left_minor: what of it could be given back.
    """

    charge_id: int
    net_minor: int
    state: str
    is_tried: bool
    left_minor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What brings the charges of a stay from one sum to another; the moves add up to the difference.

    short_minor: what should go back and cannot, because it went back before.
    """

    from_minor: int
    to_minor: int
    waive: Sequence[StayCharge] = ()
    raise_minor: int = 0
    refunds: Sequence[tuple[int, int]] = ()
    short_minor: int = 0

    @property
    def waived_minor(self) -> int:
        return sum(charge.net_minor for charge in self.waive)

    @property
    def refunded_minor(self) -> int:
        return sum(amount_minor for _, amount_minor in self.refunds)


def plan(*, from_minor: int, to_minor: int, charges: Sequence[StayCharge]) -> Plan | None:
    """How to get there; None while an attempt lives, whose end decides it. `charges` are in order of their making."""
    if from_minor == to_minor:
        return Plan(from_minor, to_minor)
    if any(charge.is_tried or charge.state == "attempting" for charge in charges):
        return None
    unpaid = [charge for charge in reversed(charges) if charge.state in ("due", "arrears")]
    if to_minor > from_minor:
        # Everything that is still to be taken is taken at once.
        raise_minor = to_minor - from_minor + sum(charge.net_minor for charge in unpaid)
        return Plan(from_minor, to_minor, waive=unpaid, raise_minor=raise_minor)
    return _lowered(from_minor, to_minor, unpaid, [charge for charge in reversed(charges) if charge.left_minor > 0])


def _lowered(from_minor: int, to_minor: int, unpaid: Sequence[StayCharge], paid: Sequence[StayCharge]) -> Plan:
    left_minor = from_minor - to_minor
    waive: list[StayCharge] = []
    for charge in unpaid:
        if left_minor <= 0:
            break
        waive.append(charge)
        left_minor -= charge.net_minor
    raise_minor, left_minor = max(-left_minor, 0), max(left_minor, 0)
    refunds: list[tuple[int, int]] = []
    for charge in paid:
        back_minor = min(left_minor, charge.left_minor)
        if back_minor > 0:
            refunds.append((charge.charge_id, back_minor))
            left_minor -= back_minor
    return Plan(from_minor, to_minor, waive, raise_minor, refunds, short_minor=left_minor)
