"""What goes wrong on the simulated day, chosen from the day itself so that any day and any part of it has it all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gate_sim.town import Passage, RealStay, passages_of

OFFLINE_MS = 2 * 3_600_000
# A screenshot is shown at another lot's gate this long after it was taken: inside the code's lifetime.
REPLAY_AFTER_MS = 10_000


@dataclass(frozen=True, slots=True)
class Screenshot:
    """The code that opened `taken` is shown again, by someone else, at the entry of `lot` at `at_ms`."""

    taken: Passage
    lot: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """The special cases of one day. A gate is named by (lot, direction); times are unix milliseconds."""

    offline_gate: tuple[str, str]
    offline_from_ms: int
    twice_gate: tuple[str, str]
    twice_at_ms: int
    screenshot: Screenshot
    late_gate: tuple[str, str]
    late_from_ms: int
    late_stay: RealStay


def choose_trouble(stays: Sequence[RealStay]) -> Trouble:
    """The special cases for `stays` (at least two lots and two stays). The same stays give the same trouble."""
    passages = passages_of(stays)
    exits = [passage for passage in passages if passage.direction == "exit"]
    late = _last_alone(exits)
    offline_lot = _busiest(passage.lot for passage in exits if passage.lot != late.lot)
    leaving = [passage for passage in exits if passage.lot == offline_lot]
    taken = next(passage for passage in passages if passage.direction == "entry" and passage.lot == offline_lot)
    twice_lot = _busiest(passage.lot for passage in passages)
    arrivals = [passage for passage in passages if (passage.lot, passage.direction) == (twice_lot, "entry")]
    return Trouble(
        offline_gate=(offline_lot, "exit"),
        # The middle of the two hours is the middle of the lot's exits.
        offline_from_ms=leaving[len(leaving) // 2].at_ms - OFFLINE_MS // 2,
        twice_gate=(twice_lot, "entry"),
        twice_at_ms=arrivals[len(arrivals) // 2].at_ms,
        screenshot=Screenshot(taken, late.lot, taken.at_ms + REPLAY_AFTER_MS),
        late_gate=(late.lot, "exit"),
        late_from_ms=late.at_ms,
        late_stay=next(stay for stay in stays if stay.stay == late.stay),
    )


def _last_alone(exits: Sequence[Passage]) -> Passage:
    """The last exit of the lot in which fewest cars leave at that last moment: the gate that stays silent after it."""
    lots = {passage.lot: passage for passage in exits}
    alike = Counter((passage.lot, passage.at_ms) for passage in exits)
    return min(lots.values(), key=lambda last: (alike[last.lot, last.at_ms], -last.at_ms, last.lot))


def _busiest(lots: Iterable[str]) -> str:
    counts = Counter(lots)
    return min(counts, key=lambda lot: (-counts[lot], lot))
