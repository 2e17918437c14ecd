"""Cars at an exit: the published comparison to the second, and what holds for every queue."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate_sim.exit_lane import (
    BARRIER_US,
    DRIVE_OFF_US,
    FREE_US,
    PAYING_US,
    SECOND_US,
    Car,
    Outcome,
    Way,
    at_once,
    cars_of,
    code_us,
    folded,
    kiosk,
    manual,
    poisson,
    simulate,
    with_codes,
)

# Instants and services close together, so that arrivals and departures often meet.
CARS = st.lists(st.builds(Car, st.integers(0, 30), st.integers(1, 20)), min_size=1, max_size=12)
LANES = st.integers(1, 3)
queues = settings(max_examples=60)


def leave(way: Way, *, cars: int = 100, seed: int = 1) -> Outcome:
    return simulate(cars_of(at_once(cars), way, random.Random(seed)), lanes=1)


@pytest.mark.parametrize("seed", range(5))
def test_the_published_comparison_comes_out_to_the_second(seed: int) -> None:
    assert leave(manual(), seed=seed).total_us == 3_250 * SECOND_US
    assert leave(kiosk(), seed=seed).total_us == 1_600 * SECOND_US


def test_with_codes_the_phone_the_barrier_and_the_car_take_the_time_and_not_the_decision() -> None:
    decision_us = 200
    outcome = leave(with_codes(decision_us))
    assert outcome.total_us == 100 * code_us(decision_us) == 800 * SECOND_US + 100 * decision_us
    # The published time of a car that need not pay is the barrier's and the car's own.
    assert BARRIER_US + DRIVE_OFF_US == FREE_US
    assert decision_us * 1_000 < DRIVE_OFF_US


def test_who_has_no_code_pays_at_the_barrier() -> None:
    outcome = leave(with_codes(0, without_code_percent=10))
    assert outcome.total_us == 10 * PAYING_US + 90 * code_us(0)


@pytest.mark.parametrize(
    ("cars", "percent", "paying"), [(100, 50, 50), (3, 50, 2), (10, 4, 0), (10, 5, 1), (7, 100, 7)]
)
def test_shares_are_exact_and_half_a_car_pays(cars: int, percent: int, paying: int) -> None:
    services_us = manual(percent).services_us(cars, random.Random(1))
    assert (services_us.count(PAYING_US), services_us.count(FREE_US)) == (paying, cars - paying)


@queues
@given(CARS, LANES)
def test_every_car_that_came_is_waiting_or_at_a_lane_or_gone(cars: list[Car], lanes: int) -> None:
    outcome = simulate(cars, lanes)
    assert sorted((one.arrived_us, one.left_us - one.begun_us) for one in outcome.passages) == sorted(
        (car.arrives_us, car.service_us) for car in cars
    )
    for at_us, present in outcome.lengths():
        arrived = sum(one.arrived_us <= at_us for one in outcome.passages)
        left = sum(one.left_us <= at_us for one in outcome.passages)
        assert arrived == left + present
    assert outcome.lengths()[-1][1] == 0


@queues
@given(CARS, LANES)
def test_no_lane_is_free_while_a_car_waits_and_none_holds_two(cars: list[Car], lanes: int) -> None:
    outcome = simulate(cars, lanes)
    for at_us, present in outcome.lengths():
        at_lanes = sum(one.begun_us <= at_us < one.left_us for one in outcome.passages)
        assert at_lanes == min(present, lanes)


@queues
@given(CARS, LANES)
def test_nobody_waits_less_than_nothing_and_who_comes_first_drives_first(cars: list[Car], lanes: int) -> None:
    passages = sorted(simulate(cars, lanes).passages, key=lambda one: one.arrived_us)
    assert all(one.wait_us >= 0 for one in passages)
    begun_us = [one.begun_us for one in sorted(passages, key=lambda one: (one.arrived_us, one.begun_us))]
    assert begun_us == sorted(begun_us)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
def test_at_one_lane_where_all_are_there_the_total_is_the_sum_of_the_services(services_us: list[int]) -> None:
    outcome = simulate([Car(0, service_us) for service_us in services_us], lanes=1)
    assert outcome.total_us == sum(services_us)
    assert outcome.longest == len(services_us)


@queues
@given(CARS)
def test_another_lane_never_makes_anybody_later(cars: list[Car]) -> None:
    by_lanes = [simulate(cars, lanes) for lanes in (1, 2, 3)]
    for fewer, more in itertools.pairwise(by_lanes):
        assert all(two <= one for one, two in zip(_begun_in_order(fewer), _begun_in_order(more), strict=True))
        assert more.total_us <= fewer.total_us
        assert more.wait_mean_us <= fewer.wait_mean_us


def _begun_in_order(outcome: Outcome) -> list[int]:
    return sorted(one.begun_us for one in outcome.passages)


@queues
@given(CARS, LANES, st.integers(1, 20))
def test_nobody_is_earlier_because_services_take_longer(cars: list[Car], lanes: int, more_us: int) -> None:
    slower = simulate([Car(car.arrives_us, car.service_us + more_us) for car in cars], lanes)
    assert all(
        one <= two for one, two in zip(_begun_in_order(simulate(cars, lanes)), _begun_in_order(slower), strict=True)
    )


@settings(max_examples=5)
@given(st.integers(0, 2**32), LANES)
def test_the_same_seed_gives_the_same_queue(seed: int, lanes: int) -> None:
    def once() -> list[Outcome]:
        dice = random.Random(seed)
        return [
            simulate(cars_of(arrivals_us, manual(), dice), lanes)
            for arrivals_us in (at_once(40), poisson(40, 200, dice), folded(40, dice))
        ]

    assert once() == once()


def test_poisson_cars_come_as_often_as_was_asked() -> None:
    arrivals_us = poisson(20_000, 300, random.Random(3))
    assert arrivals_us == sorted(arrivals_us)
    # 12 s between two on average, and its deviation over so many is 12 s / sqrt(20,000).
    assert arrivals_us[-1] / 20_000 == pytest.approx(12 * SECOND_US, rel=0.03)


def test_the_folded_day_ends_in_a_burst() -> None:
    arrivals_us = folded(100, random.Random(1))
    assert arrivals_us == sorted(arrivals_us)
    assert arrivals_us[0] == 0
    assert arrivals_us.count(arrivals_us[-1]) == 45
    assert len(folded(407, random.Random(1))) == 407
    with pytest.raises(ValueError, match="407 exits, not 408"):
        folded(408, random.Random(1))


def test_the_95th_wait_is_one_that_a_car_had() -> None:
    outcome = simulate([Car(0, SECOND_US)] * 20, lanes=1)
    assert outcome.wait_p95_us == 18 * SECOND_US
    assert outcome.wait_mean_us == 9_500_000
