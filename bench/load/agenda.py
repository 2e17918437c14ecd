"""What happens at a peak of exits and when: cars leave, gates upload and poll, drivers look at what they pay.

The agenda is made before the load and does not depend on any answer: arrivals are open-loop.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

from bench.load.journals import Epoch, Plan
from bench.load.town import Town

# Names the file with the agenda to Locust.
AGENDA_VARIABLE: Final = "PARKFLOW_LOAD_AGENDA"
UPLOAD: Final = "upload"
POLL: Final = "poll"
LOOK: Final = "look"
_ENTRIES_PER_BATCH: Final = 500
# A driver looks on the way to the barrier, while the stay is open.
_LOOKS_BEFORE_S: Final = 5.0
_HOUR_MS: Final = 3_600_000


class Act(NamedTuple):
    """At `due` seconds from the beginning: `kind` of the gate, or of the driver who leaves, with this number."""

    due: float
    kind: str
    number: int


class Exit(NamedTuple):
    """A car that leaves through the exit of `lot`, with the card at `card` of its operator."""

    due: float
    lot: int
    card: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often things happen: a gate's upload and its poll in seconds, and the share of drivers who look."""

    upload_every_s: float = 2.0
    poll_every_s: float = 10.0
    looking: float = 0.25


@dataclass(frozen=True, slots=True)
class Agenda:
    """All that the load needs: `exits` by lot in order, `acts` in order, sessions of the drivers who look (by exit)."""

    town: Town
    outbox: Path
    exits: Sequence[Sequence[Exit]]
    acts: Sequence[Act]
    sessions: Mapping[int, str]

    @property
    def leaving(self) -> Sequence[Exit]:
        """All exits; their numbers are places here."""
        return [one for exits in self.exits for one in exits]


def exits_of(town: Town, times: Sequence[float], *, seed: int) -> list[list[Exit]]:
    """Cars over lots by chance; the cards of an operator in order, so that every car has one of its own."""
    dice = random.Random(seed)
    by_lot: list[list[float]] = [[] for _ in range(town.size.lots)]
    for at in times:
        by_lot[dice.randrange(town.size.lots)].append(at)
    firsts = first_cards(town, [len(one) for one in by_lot])
    return [
        [Exit(at, lot, firsts[lot] + place) for place, at in enumerate(leaving)] for lot, leaving in enumerate(by_lot)
    ]


def first_cards(town: Town, cars: Sequence[int]) -> dict[int, int]:
    """The first card of each lot, when lots of an operator stand one behind the other."""
    firsts: dict[int, int] = {}
    for operator in range(town.size.operators):
        lots = range(operator, town.size.lots, town.size.operators)
        firsts |= dict(zip(lots, accumulate((cars[lot] for lot in lots), initial=0), strict=False))
    return firsts


def entries_of(town: Town, exits: Sequence[Sequence[Exit]], number: int, *, now_ms: int) -> list[Epoch]:
    """The journals of the entry gates: every car that will leave came in the last three hours."""
    begun_ms = now_ms - 3 * _HOUR_MS
    epochs = []
    for lot, leaving in enumerate(exits):
        if not leaving:
            continue
        step_ms = 2 * _HOUR_MS // len(leaving)
        plans = [
            Plan(
                leaving[start].card, min(_ENTRIES_PER_BATCH, len(leaving) - start), begun_ms + start * step_ms, step_ms
            )
            for start in range(0, len(leaving), _ENTRIES_PER_BATCH)
        ]
        epochs.append(Epoch(town.entry(lot), number, begun_ms, plans))
    return epochs


def acts_of(exits: Sequence[Sequence[Exit]], rhythm: Rhythm, *, gates: int, seconds: float, seed: int) -> list[Act]:
    """Uploads and polls of every gate at its own phase, and looks of some drivers a little before they leave.

    Gates go on until every car that left was uploaded.
    """
    dice = random.Random(seed)
    until = max([seconds, *(lot[-1].due for lot in exits if lot)]) + rhythm.upload_every_s
    acts = [
        Act(at, kind, number)
        for number in range(gates)
        for kind, every in ((UPLOAD, rhythm.upload_every_s), (POLL, rhythm.poll_every_s))
        for at in _ticks(dice.random() * every, every, until)
    ]
    leaving = [one for lot in exits for one in lot]
    looks = [number for number in range(len(leaving)) if dice.random() < rhythm.looking]
    acts += [Act(max(0.0, leaving[number].due - _LOOKS_BEFORE_S), LOOK, number) for number in looks]
    return sorted(acts)


def _ticks(first: float, every: float, until: float) -> list[float]:
    return [first + every * number for number in range(int((until - first) / every) + 1)]
