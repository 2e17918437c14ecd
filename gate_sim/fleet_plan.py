"""The fleet on paper: which car passes which gate when, and what is wrong with gates and phones. The seed decides."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gate_sim.seed import Seed

# A gate takes no second passage of a card within a minute, and phones need time for a fresh code.
_STAY_SECONDS_MIN: Final = 120
_BETWEEN_SECONDS: Final = 90
# Within what codes bear (30 s of age and 30 s of clocks) when only one of the two is wrong.
_GATE_SKEWS_MS: Final = (0, 0, 0, 5_000, -5_000, 20_000, -20_000)
# The last two are refused until the driver sets the phone's clock.
_PHONE_SKEWS_S: Final = (0, 0, 0, 0, 10, -10, 25, -25, 300, -300)
_CUT_PERCENTS: Final = (0, 0, 10, 30)


@dataclass(frozen=True, slots=True)
class FleetWishes:
    """How much traffic, and from which seed; a stay is an entry and an exit of one phone."""

    gates: int
    phones: int
    minutes: int
    seed: Seed


@dataclass(frozen=True, slots=True)
class GatePlan:
    """One gate: where it stands, how wrong its clock and its line are. Windows are seconds from the start."""

    number: int
    lot: int
    direction: str
    skew_ms: int
    offline: Sequence[tuple[int, int]]
    cut_percent: int
    scrambles: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One car at one gate at one moment (seconds from the start). `stay` numbers the stays of the fleet."""

    at_s: int
    stay: int
    phone: int
    gate: int
    direction: str


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Everything that is decided before the first request."""

    gates: Sequence[GatePlan]
    phone_skews_s: Sequence[int]
    visits: Sequence[Visit]

    @property
    def sha256(self) -> str:
        """The same for the same traffic."""
        return hashlib.sha256(repr((self.gates, self.phone_skews_s, self.visits)).encode()).hexdigest()


def plan_fleet(wishes: FleetWishes, *, lots: int) -> FleetPlan:
    """The plan for `wishes` in a town of so many lots. Gates come in pairs, an entry and an exit of one lot."""
    gates = [_gate(wishes, number, lots) for number in range(wishes.gates)]
    by_lot: dict[int, dict[str, list[int]]] = {}
    for gate in gates:
        by_lot.setdefault(gate.lot, {"entry": [], "exit": []})[gate.direction].append(gate.number)
    open_lots = {lot: ways for lot, ways in by_lot.items() if ways["entry"] and ways["exit"]}
    visits: list[Visit] = []
    for phone in range(wishes.phones):
        _add_stays(visits, wishes, phone, open_lots)
    dice = wishes.seed.dice("phone skews")
    skews = [dice.choice(_PHONE_SKEWS_S) for _ in range(wishes.phones)]
    return FleetPlan(gates, skews, sorted(visits, key=lambda visit: (visit.at_s, visit.stay)))


def _gate(wishes: FleetWishes, number: int, lots: int) -> GatePlan:
    dice = wishes.seed.dice("gate plan", str(number))
    seconds = wishes.minutes * 60
    offline = []
    if dice.randrange(3) == 0:
        start = dice.randrange(seconds)
        offline.append((start, start + dice.randrange(60, max(61, seconds // 2))))
    return GatePlan(
        number,
        number // 2 % lots,
        ("entry", "exit")[number % 2],
        dice.choice(_GATE_SKEWS_MS),
        tuple(offline),
        dice.choice(_CUT_PERCENTS),
        dice.randrange(4) == 0,
    )


def _add_stays(
    visits: list[Visit], wishes: FleetWishes, phone: int, open_lots: Mapping[int, Mapping[str, Sequence[int]]]
) -> None:
    """Stays of one phone, one after the other, until the time is over."""
    dice = wishes.seed.dice("stays", str(phone))
    end_s = wishes.minutes * 60
    at_s = dice.randrange(60)
    while (leaves_s := at_s + _STAY_SECONDS_MIN + dice.randrange(_STAY_SECONDS_MIN)) < end_s:
        ways = open_lots[dice.choice(sorted(open_lots))]
        stay = len(visits) // 2
        visits.append(Visit(at_s, stay, phone, dice.choice(ways["entry"]), "entry"))
        visits.append(Visit(leaves_s, stay, phone, dice.choice(ways["exit"]), "exit"))
        at_s = leaves_s + _BETWEEN_SECONDS + dice.randrange(_BETWEEN_SECONDS)
