"""Whose passage a plate was: of a small town's true history, told in any order, nothing false is ever said."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parkflow.account.service import PlateKey
from parkflow.gate.sightings import SEEN_TWICE
from parkflow.gate.unpaired import AWAITING_ENTRY, ScanKey
from parkflow.parking.sighting_rules import (
    AMBIGUOUS_PLATE,
    ANOTHER_PLATE,
    AWAITING_UPLOADS,
    CARD_NOT_ACTIVE,
    ENTRY_BY_PLATE,
    EXIT_BY_PLATE,
    UNKNOWN_PLATE,
    Decision,
    Hold,
    Holder,
    Match,
    Passage,
    Scene,
    SeenPlate,
    decide,
)

NOON = datetime(2017, 10, 20, 16, tzinfo=UTC)
PLATE = PlateKey(7, bytes(32))
EVER = datetime.min.replace(tzinfo=UTC)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def plate_seen(direction: str, minute: int, *, overdue: bool = False, plate: PlateKey = PLATE) -> SeenPlate:
    return SeenPlate(ScanKey(plate.bucket, 1, 1, minute + 1), plate, direction, at(minute), overdue)


def card(ident: int, *passages: tuple[str, int], active: bool = True, plate: PlateKey | None = None) -> Holder:
    known = [Passage(at(minute), direction, plate) for direction, minute in passages]
    return Holder(ident, known, [(EVER, active)])


def decision_of(seen: SeenPlate, *holders: Holder, complete_to: int | None = 1_000) -> Decision:
    told = None if complete_to is None else at(complete_to)
    return decide(Scene([seen], {PLATE: holders} if holders else {}, told))[seen.key]


IN, OUT = "entry", "exit"


@pytest.mark.parametrize(
    ("holders", "decision"),
    [
        ([], Hold(UNKNOWN_PLATE)),
        ([card(1)], Hold(AWAITING_ENTRY)),
        ([card(1, (IN, 0))], Match(1, EXIT_BY_PLATE)),
        ([card(1, (IN, 0), active=False)], Match(1, EXIT_BY_PLATE)),
        ([card(1, (IN, 0), (OUT, 30))], Hold(AWAITING_ENTRY)),
        ([card(1, (IN, 0), (OUT, 90))], Hold(AWAITING_ENTRY)),
        ([card(1, (IN, 0), (IN, 90))], Match(1, EXIT_BY_PLATE)),
        ([card(1, (IN, 90))], Hold(AWAITING_ENTRY)),
        ([card(1, (IN, 0)), card(2)], Match(1, EXIT_BY_PLATE)),
        ([card(1, (IN, 0)), card(2, (IN, 5))], Hold(AMBIGUOUS_PLATE)),
        ([card(1, (IN, 0)), card(2, (IN, 5), (OUT, 90))], Match(1, EXIT_BY_PLATE)),
        ([card(1, (IN, 0), plate=ANOTHER_PLATE)], Hold(AWAITING_ENTRY)),
        ([card(1, (IN, 0), plate=ANOTHER_PLATE), card(2, (IN, 5))], Match(2, EXIT_BY_PLATE)),
        ([card(1, (IN, 0), (OUT, 61))], Match(1, SEEN_TWICE)),
        ([card(1, (IN, 0), (OUT, 59))], Match(1, SEEN_TWICE)),
        ([card(1, (IN, 0), (OUT, 60)), card(2, (IN, 0))], Match(1, SEEN_TWICE)),
    ],
)
def test_an_exit_is_that_of_the_one_card_inside(holders: list[Holder], decision: Decision) -> None:
    assert decision_of(plate_seen(OUT, 60), *holders) == decision


@pytest.mark.parametrize(
    ("holders", "decision"),
    [
        ([], Hold(UNKNOWN_PLATE)),
        ([card(1)], Match(1, ENTRY_BY_PLATE)),
        ([card(1, active=False)], Hold(CARD_NOT_ACTIVE)),
        ([card(1, (OUT, 90), active=False)], Match(1, ENTRY_BY_PLATE)),
        ([card(1), card(2, active=False)], Match(1, ENTRY_BY_PLATE)),
        ([card(1), card(2)], Hold(AMBIGUOUS_PLATE)),
        ([card(1), card(2, (OUT, 90))], Match(2, ENTRY_BY_PLATE)),
        ([card(1, (OUT, 90)), card(2, (OUT, 95))], Hold(AMBIGUOUS_PLATE)),
        ([card(1), card(2, (IN, 70), (OUT, 90))], Hold(AMBIGUOUS_PLATE)),
        ([card(1), card(2, (IN, 0), (OUT, 90))], Hold(AMBIGUOUS_PLATE)),
        ([card(1), card(2, (OUT, 90), plate=ANOTHER_PLATE)], Hold(AMBIGUOUS_PLATE)),
        ([card(1), card(2, (IN, 61))], Match(2, SEEN_TWICE)),
    ],
)
def test_an_entry_is_that_of_who_left_unseen_or_of_the_one_active_card(
    holders: list[Holder], decision: Decision
) -> None:
    assert decision_of(plate_seen(IN, 60), *holders) == decision


def test_of_several_nobody_is_named_before_every_gate_has_told_or_the_lot_waits_no_longer() -> None:
    shared = [card(1, (IN, 0)), card(2)]
    assert decision_of(plate_seen(OUT, 60), *shared, complete_to=59) == Hold(AWAITING_UPLOADS)
    assert decision_of(plate_seen(OUT, 60), *shared, complete_to=60) == Match(1, EXIT_BY_PLATE)
    assert decision_of(plate_seen(OUT, 60), *shared, complete_to=None) == Match(1, EXIT_BY_PLATE)
    assert decision_of(plate_seen(OUT, 60, overdue=True), *shared, complete_to=0) == Match(1, EXIT_BY_PLATE)
    assert decision_of(plate_seen(OUT, 60), shared[0], complete_to=0) == Match(1, EXIT_BY_PLATE)
    left = [card(1, (OUT, 90)), card(2)]
    assert decision_of(plate_seen(IN, 60), *left, complete_to=89) == Hold(AWAITING_UPLOADS)
    assert decision_of(plate_seen(IN, 60), *left, complete_to=90) == Match(1, ENTRY_BY_PLATE)


def test_while_it_is_open_who_came_it_is_open_who_left() -> None:
    came, leaves = plate_seen(IN, 10), plate_seen(OUT, 60)
    own_car = card(2, (IN, 0))
    decisions = decide(Scene([came, leaves], {PLATE: [card(1), own_car]}, at(100)))
    assert decisions == {came.key: Hold(AMBIGUOUS_PLATE), leaves.key: Hold(AMBIGUOUS_PLATE)}


def test_an_exit_ends_the_last_entry_of_the_car_before_it() -> None:
    first, second = plate_seen(IN, 0), plate_seen(IN, 60)
    decisions = decide(Scene([first, second], {PLATE: [card(1, (OUT, 90)), card(2)]}, at(100)))
    assert decisions == {first.key: Hold(AMBIGUOUS_PLATE), second.key: Match(1, ENTRY_BY_PLATE)}


# A true history ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Event:
    """One reading: of a card's code, or of the plate; `card_id` is the truth."""

    minute: int
    direction: str
    card_id: int
    by_plate: bool

    @property
    def seen(self) -> SeenPlate:
        return plate_seen(self.direction, self.minute)


READERS = st.sampled_from([(False,), (True,), (False, True)])


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[Event]]:
    """How many drivers share the plate, and their visits: in the shared car, or each in a car of their own by code."""
    drivers = draw(st.integers(1, 3))
    events: list[Event] = []
    # The shared car is in one place at a time, and so is each driver; passages lie minutes apart.
    minutes = iter(range(0, 10_000, 10))
    for _ in range(draw(st.integers(1, 4))):
        visitors = draw(st.permutations(range(1, drivers + 1)))[: draw(st.integers(1, drivers))]
        inside: list[tuple[int, bool]] = []
        shared = draw(st.sampled_from([*visitors, 0]))
        for driver in visitors:
            inside.append((driver, driver == shared))
            events += readings(draw, next(minutes), IN, driver, driver == shared)
        for driver, in_shared_car in draw(st.permutations(inside)):
            events += readings(draw, next(minutes), OUT, driver, in_shared_car)
    return drivers, events


def readings(draw: st.DrawFn, minute: int, direction: str, driver: int, in_shared_car: bool) -> list[Event]:
    by = draw(READERS) if in_shared_car else (False,)
    return [Event(minute, direction, driver, by_plate) for by_plate in by]


def told(drivers: int, events: list[Event], arrivals: list[int]) -> dict[ScanKey, Match]:
    """What is found out when the events arrive in this order, with a look after each arrival and many at the end."""
    found: dict[ScanKey, Match] = {}
    here: list[Event] = []
    for place in [*arrivals, *([None] * len(events))]:
        if place is not None:
            here.append(events[place])
        missing = [event.minute for event in events if event not in here]
        holders = [
            Holder(
                ident,
                [Passage(at(e.minute), e.direction, None) for e in here if e.card_id == ident and not e.by_plate]
                + [
                    Passage(e.seen.at, e.direction, PLATE)
                    for e in here
                    if e.by_plate
                    and (match := found.get(e.seen.key)) is not None
                    and match.card_id == ident
                    and match.reason != SEEN_TWICE
                ],
                [(EVER, True)],
            )
            for ident in range(1, drivers + 1)
        ]
        sightings = [event.seen for event in here if event.by_plate and event.seen.key not in found]
        scene = Scene(sightings, {PLATE: holders}, at(min(missing) - 1) if missing else None)
        found |= {key: one for key, one in decide(scene).items() if isinstance(one, Match)}
    return found


@settings(max_examples=100)
@given(histories(), st.randoms(use_true_random=False))
def test_no_order_of_arrival_gives_a_passage_to_somebody_else(
    history: tuple[int, list[Event]], chance: random.Random
) -> None:
    drivers, events = history
    truth = {event.seen.key: event.card_id for event in events if event.by_plate}
    orders = [list(range(len(events))) for _ in range(3)]
    for order in orders[1:]:
        chance.shuffle(order)
    found = [told(drivers, events, order) for order in orders]
    for one in found:
        assert {key: truth[key] for key in one} == {key: match.card_id for key, match in one.items()}
        assert one.keys() == found[0].keys()


@settings(max_examples=100)
@given(histories(), st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_listed_means_nothing(
    history: tuple[int, list[Event]], chance: random.Random
) -> None:
    drivers, events = history
    holders = [
        Holder(
            ident,
            [Passage(at(e.minute), e.direction, None) for e in events if e.card_id == ident and not e.by_plate],
            [(at(5), False), (EVER, True)],
        )
        for ident in range(1, drivers + 1)
    ]
    sightings = [event.seen for event in events if event.by_plate]
    decisions = decide(Scene(sightings, {PLATE: holders}, None))
    assert decisions.keys() == {seen.key for seen in sightings}
    shuffled = [
        Holder(one.card_id, chance.sample(one.passages, len(one.passages)), one.activity[::-1])
        for one in chance.sample(holders, len(holders))
    ]
    assert decide(Scene(chance.sample(sightings, len(sightings)), {PLATE: shuffled}, None)) == decisions
    assert all(one.card_id in range(1, drivers + 1) for one in decisions.values() if isinstance(one, Match))
