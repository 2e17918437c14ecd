"""The demo on paper: who plays what, on which days."""

from collections import Counter

import pytest

from gate_sim.town import TableInvalid, demo_day
from parkflow.demo.plan import DEPOSIT_MINOR, Role, make_plan

DAY = demo_day()


@pytest.mark.parametrize("stays", [30, 40, 100, None])
def test_every_part_is_played_and_the_seed_decides_by_whom(stays: int | None) -> None:
    plan = make_plan(DAY, seed=1, stays=stays)
    assert set(plan.roles.values()) == set(Role)
    assert make_plan(DAY, seed=1, stays=stays).roles == plan.roles
    assert make_plan(DAY, seed=2, stays=stays).roles != plan.roles
    assert plan.roles[plan.trouble.late_stay.driver] is Role.LATE


def test_whoever_plays_a_part_has_one_stay_and_no_other_trouble() -> None:
    plan = make_plan(DAY, seed=1)
    visits = Counter(stay.driver for stay in DAY)
    for driver, role in plan.roles.items():
        if role not in (Role.ORDINARY, Role.LATE):
            assert visits[driver] == 1
            assert driver != plan.trouble.screenshot.taken.driver


def test_the_poor_have_the_deposit_and_nothing_more() -> None:
    plan = make_plan(DAY, seed=1)
    assert {plan.wallet_of(driver).funds_minor for driver in plan.drivers_in(Role.EMPTY, Role.LATE)} == {DEPOSIT_MINOR}


@pytest.mark.parametrize(("stays", "days"), [(40, [40]), (407, [407]), (408, [407, 1]), (1000, [407, 407, 186])])
def test_a_wanted_number_of_stays_is_reached_exactly(stays: int, days: list[int]) -> None:
    plan = make_plan(DAY, seed=1, stays=stays)
    assert [len(day) for day in plan.days] == days
    dates = [day[0].entry_at.date() for day in plan.days]
    assert [(date - dates[0]).days for date in dates] == list(range(len(days)))


def test_a_day_too_small_for_the_story_is_refused() -> None:
    with pytest.raises(TableInvalid, match="at least 30 stays"):
        make_plan(DAY, seed=1, stays=5)
