"""A town for load, as senders and makers of journals know it: which gates it has, and who issues its credentials.

Kept apart from its founding, so that the processes that only make codes start quickly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from parkflow.credential.keys import Signer as Issuer

CHANNEL: Final = "sim"
DIRECTIONS: Final = ("entry", "exit")


@dataclass(frozen=True, slots=True)
class TownSize:
    """How much there is of everything; every lot has an entry gate and an exit gate."""

    operators: int
    lots: int
    cards_per_operator: int

    @property
    def cards(self) -> int:
        return self.operators * self.cards_per_operator


@dataclass(frozen=True, slots=True)
class TownGate:
    """One gate with its key; `lot` counts over the town, `operator` is the place in the town's operators."""

    gate_id: int
    text: str
    secret: bytes
    operator: int
    lot: int
    direction: str


@dataclass(frozen=True, slots=True)
class Town:
    """What the senders need to know; `gates` are entry and exit of lot 0, of lot 1 and so on."""

    size: TownSize
    operator_ids: Sequence[int]
    issuers: Sequence[Issuer]
    gates: Sequence[TownGate]

    def entry(self, lot: int) -> TownGate:
        return self.gates[2 * lot]

    def exit(self, lot: int) -> TownGate:
        return self.gates[2 * lot + 1]

    def operator_of(self, lot: int) -> int:
        return lot % self.size.operators
