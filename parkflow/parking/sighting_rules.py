"""Whose passage a plate was: pure, the same for any order of arrival.

A card's passages at a lot are entries and exits in turn. A sighting belongs to the card in whose passages one is
missing just there: an exit to a card that came in and was not seen to leave, an entry to one that left and was not
seen to come. Without such a gap an entry begins something new, which only the one active card with the plate may do.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from parkflow.account.service import PlateKey
from parkflow.gate.sightings import SEEN_TWICE
from parkflow.gate.unpaired import AWAITING_ENTRY, ScanKey
from parkflow.parking.rules import REPEAT_WITHIN

ENTRY_BY_PLATE: Final = "entry_by_plate"
EXIT_BY_PLATE: Final = "exit_by_plate"
AWAITING_UPLOADS: Final = "awaiting_uploads"
AMBIGUOUS_PLATE: Final = "ambiguous_plate"
CARD_NOT_ACTIVE: Final = "card_not_active"
UNKNOWN_PLATE: Final = "unknown_plate"
UNREADABLE_PLATE: Final = "unreadable_plate"
NO_CARD: Final = "no_card"
LIFT_ALONE: Final = "lift_alone"
# Most of these cars are customers of another kind, and nobody has time to look at each; the others wait for a person.
EXPIRING: Final = frozenset({UNKNOWN_PLATE, UNREADABLE_PLATE, AWAITING_ENTRY, NO_CARD})


@dataclass(frozen=True, slots=True)
class SeenPlate:
    """An undecided sighting; `overdue`: what may still be uploaded is waited for no longer."""

    key: ScanKey
    plate: PlateKey
    direction: str
    at: datetime
    overdue: bool


class Passage(NamedTuple):
    """A passage that is known to be a card's; `settled`: part of a stay, so that it asks for no partner."""

    at: datetime
    direction: str
    settled: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """A card of somebody who has the plate: its passages at the lot, and from when on it was active or was not."""

    card_id: int
    passages: Sequence[Passage]
    activity: Sequence[tuple[datetime, bool]]

    def is_active(self, at: datetime) -> bool:
        """Whether a stay could begin with the card."""
        before = [active for since, active in sorted(self.activity) if since <= at]
        return bool(before) and before[-1]


@dataclass(frozen=True, slots=True)
class Scene:
    """One lot of one operator.

    holders: the operator's cards per plate. complete_to: every gate of the lot has uploaded all up to here; None where
    nothing can come any more.
    """

    sightings: Sequence[SeenPlate]
    holders: Mapping[PlateKey, Sequence[Holder]]
    complete_to: datetime | None


class Match(NamedTuple):
    """It was this card, known in this way."""

    card_id: int
    reason: str


class Hold(NamedTuple):
    """Nobody can say for certain yet, or ever."""

    reason: str


Decision = Match | Hold


def decide(scene: Scene) -> dict[ScanKey, Decision]:
    """A decision for every sighting of the scene. What one of them settles may settle another one."""
    known = {holder.card_id: sorted(holder.passages) for holders in scene.holders.values() for holder in holders}
    waiting = sorted(scene.sightings, key=lambda one: (one.at, one.key))
    decisions: dict[ScanKey, Decision] = {}
    matched = True
    while matched:
        matched = False
        for seen in [one for one in waiting if not isinstance(decisions.get(one.key), Match)]:
            undecided = [one for one in waiting if not isinstance(decisions.get(one.key), Match)]
            decision = _decide(seen, scene, known, undecided)
            decisions[seen.key] = decision
            if isinstance(decision, Match):
                matched = True
                if decision.reason != SEEN_TWICE:
                    insort(known[decision.card_id], Passage(seen.at, seen.direction, settled=False))
    return decisions


def _decide(
    seen: SeenPlate, scene: Scene, known: Mapping[int, Sequence[Passage]], undecided: Sequence[SeenPlate]
) -> Decision:
    holders = scene.holders.get(seen.plate, ())
    if not holders:
        return Hold(UNKNOWN_PLATE)
    if (again := _seen_already(seen, holders, known)) is not None:
        return Match(again, SEEN_TWICE)
    # With one holder nothing that may still come points to somebody else.
    waits_to = None if seen.overdue or len(holders) == 1 else scene.complete_to
    if seen.direction == "exit":
        leaving = [holder.card_id for holder in holders if _misses_exit(known[holder.card_id], seen.at)]
        return _one_of(leaving, EXIT_BY_PLATE, AWAITING_ENTRY, is_open=_is_before(waits_to, seen.at))
    until = _next_entry(seen, undecided)
    exits = {holder.card_id: _lonely_exit(known[holder.card_id], seen.at, until) for holder in holders}
    left = {card_id: at for card_id, at in exits.items() if at is not None}
    if left:
        is_open = _is_before(waits_to, max(left.values()))
        return _one_of(list(left), ENTRY_BY_PLATE, AMBIGUOUS_PLATE, is_open=is_open)
    active = [holder.card_id for holder in holders if holder.is_active(seen.at)]
    return _one_of(active, ENTRY_BY_PLATE, CARD_NOT_ACTIVE, is_open=_is_before(waits_to, seen.at))


def _one_of(cards: Sequence[int], how: str, if_none: str, *, is_open: bool) -> Decision:
    if is_open:
        return Hold(AWAITING_UPLOADS)
    if len(cards) == 1:
        return Match(cards[0], how)
    return Hold(AMBIGUOUS_PLATE if cards else if_none)


def _is_before(complete_to: datetime | None, at: datetime) -> bool:
    return complete_to is not None and complete_to < at


def _seen_already(seen: SeenPlate, holders: Sequence[Holder], known: Mapping[int, Sequence[Passage]]) -> int | None:
    """The card of which another reader saw the same passage; the nearest in time where there are several."""
    near = [
        (abs(passage.at - seen.at), holder.card_id)
        for holder in holders
        for passage in known[holder.card_id]
        if passage.direction == seen.direction and abs(passage.at - seen.at) <= REPEAT_WITHIN
    ]
    return min(near)[1] if near else None


def _misses_exit(passages: Sequence[Passage], at: datetime) -> bool:
    """Whether the card came in before and was not seen to leave, neither before nor later."""
    before, after = _around(passages, at)
    return before is not None and before.direction == "entry" and (after is None or after.direction == "entry")


def _lonely_exit(passages: Sequence[Passage], at: datetime, until: datetime | None) -> datetime | None:
    """When the card left after `at` without having been seen to come; None when it did not, or not before `until`."""
    before, after = _around(passages, at)
    if after is None or after.direction != "exit" or after.settled or (until is not None and after.at > until):
        return None
    return None if before is not None and before.direction == "entry" else after.at


def _next_entry(seen: SeenPlate, undecided: Sequence[SeenPlate]) -> datetime | None:
    """When the car came in again, as another passage: an exit after that belongs to that entry."""
    later = [
        one.at
        for one in undecided
        if one.plate == seen.plate and one.direction == "entry" and one.at > seen.at + REPEAT_WITHIN
    ]
    return min(later, default=None)


def _around(passages: Sequence[Passage], at: datetime) -> tuple[Passage | None, Passage | None]:
    place = bisect_right(passages, at, key=lambda passage: passage.at)
    return (passages[place - 1] if place else None), (passages[place] if place < len(passages) else None)
