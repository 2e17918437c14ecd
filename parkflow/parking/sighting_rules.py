"""Whose passage a plate was: pure, the same for any order of arrival.

A card's passages at a lot are entries and exits in turn. A sighting belongs to the card in whose passages one is
missing just there: an exit to a card that came in and was not seen to leave, an entry to one that left and was not
seen to come. Without such a gap an entry begins something new, which only the one active card with the plate may do.
The car that leaves is the car that came: who was seen with another plate is out, and while it is open whose an entry
of the plate was, it is open whose its exit was.
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
ANOTHER_PLATE: Final = PlateKey(-1, b"")
"""The plate of a passage that is not one of those in question."""
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
    """A passage that is known to be a card's; `plate` where it is known by a plate, None where by a code."""

    at: datetime
    direction: str
    plate: PlateKey | None


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
    known = {holder.card_id: sorted(holder.passages, key=_time) for each in scene.holders.values() for holder in each}
    decisions: dict[ScanKey, Decision] = {}
    waiting: dict[PlateKey, list[SeenPlate]] = {}
    left = sorted(scene.sightings, key=lambda one: (one.at, one.key))
    for seen in left:
        waiting.setdefault(seen.plate, []).append(seen)
    matched = True
    while matched:
        matched = False
        for seen in left:
            decision = _decide(seen, scene, known, waiting[seen.plate])
            decisions[seen.key] = decision
            if isinstance(decision, Match):
                matched = True
                waiting[seen.plate].remove(seen)
                if decision.reason != SEEN_TWICE:
                    insort(known[decision.card_id], Passage(seen.at, seen.direction, seen.plate), key=_time)
        left = [seen for seen in left if not isinstance(decisions[seen.key], Match)]
    return decisions


def _decide(
    seen: SeenPlate, scene: Scene, known: Mapping[int, Sequence[Passage]], of_plate: Sequence[SeenPlate]
) -> Decision:
    holders = scene.holders.get(seen.plate, ())
    if not holders:
        return Hold(UNKNOWN_PLATE)
    passages = {holder.card_id: known[holder.card_id] for holder in holders}
    if (again := _seen_already(seen, passages)) is not None:
        return Match(again, SEEN_TWICE)
    # With one holder nothing that may still come points to somebody else.
    waits_to = None if seen.overdue or len(holders) == 1 else scene.complete_to
    others = [one for one in of_plate if one.key != seen.key and not one.overdue]
    if seen.direction == "exit":
        return _decide_exit(seen, passages, others, waits_to)
    left = _left_unseen(seen, passages, others)
    if left:
        is_open = _is_before(waits_to, max(left.values()))
        return _one_of(list(left), ENTRY_BY_PLATE, AMBIGUOUS_PLATE, is_open=is_open)
    active = [holder.card_id for holder in holders if holder.is_active(seen.at)]
    return _one_of(active, ENTRY_BY_PLATE, CARD_NOT_ACTIVE, is_open=_is_before(waits_to, seen.at))


def _decide_exit(
    seen: SeenPlate,
    passages: Mapping[int, Sequence[Passage]],
    others: Sequence[SeenPlate],
    waits_to: datetime | None,
) -> Decision:
    entries = [one.at for one in others if one.direction == "entry"]
    came = max((at for at in entries if at <= seen.at), default=None)
    comes_again = min((at for at in entries if at > seen.at), default=None)
    inside, unclear = [], []
    # That a card left later says something only when it is known that it did not come again in between.
    known_to = seen.at
    for card_id, known in passages.items():
        before, after = _around(known, seen.at)
        is_inside = before is not None and before.direction == "entry" and before.plate in (None, seen.plate)
        # An exit after the car came again is that of its next stay.
        is_gone = after is not None and after.direction == "exit" and (comes_again is None or after.at < comes_again)
        if came is not None and (before is None or before.at < came):
            unclear.append(card_id)
        elif is_inside and not is_gone:
            inside.append(card_id)
        elif is_inside and after is not None:
            known_to = max(known_to, after.at)
    is_open = _is_before(waits_to, known_to)
    if unclear and not is_open:
        return Hold(AMBIGUOUS_PLATE)
    return _one_of(inside, EXIT_BY_PLATE, AWAITING_ENTRY, is_open=is_open)


def _left_unseen(
    seen: SeenPlate, passages: Mapping[int, Sequence[Passage]], others: Sequence[SeenPlate]
) -> dict[int, datetime]:
    """The cards that left after the entry without having been seen to come, and when."""
    # The car's next passage ends what this entry can be the beginning of.
    until = min((one.at for one in others if one.at > seen.at + REPEAT_WITHIN), default=None)
    left = {}
    for card_id, known in passages.items():
        before, after = _around(known, seen.at)
        if after is None or after.direction != "exit" or after.plate not in (None, seen.plate):
            continue
        was_outside = before is None or before.direction == "exit"
        if was_outside and (until is None or after.at <= until):
            left[card_id] = after.at
    return left


def _one_of(cards: Sequence[int], how: str, if_none: str, *, is_open: bool) -> Decision:
    if is_open:
        return Hold(AWAITING_UPLOADS)
    if len(cards) == 1:
        return Match(cards[0], how)
    return Hold(AMBIGUOUS_PLATE if cards else if_none)


def _is_before(complete_to: datetime | None, at: datetime) -> bool:
    return complete_to is not None and complete_to < at


def _seen_already(seen: SeenPlate, passages: Mapping[int, Sequence[Passage]]) -> int | None:
    """The card of which another reader saw the same passage; the nearest in time where there are several."""
    near = [
        (abs(passage.at - seen.at), card_id)
        for card_id, known in passages.items()
        for passage in known
        if passage.direction == seen.direction
        and passage.plate in (None, seen.plate)
        and abs(passage.at - seen.at) <= REPEAT_WITHIN
    ]
    return min(near)[1] if near else None


def _around(passages: Sequence[Passage], at: datetime) -> tuple[Passage | None, Passage | None]:
    """The passages before (or at) an instant and after it."""
    place = bisect_right(passages, at, key=_time)
    return (passages[place - 1] if place else None), (passages[place] if place < len(passages) else None)


def _time(passage: Passage) -> datetime:
    return passage.at
