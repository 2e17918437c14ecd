"""The moves of an adjustment add up to the difference, take from nobody twice, and ask the driver once."""

from hypothesis import given
from hypothesis import strategies as st

from parkflow.adjustment.rules import Plan, StayCharge, plan

PAID, DUE = "paid", "due"


def charge(ident: int, net_minor: int, state: str, *, is_tried: bool = False, given_back: int = 0) -> StayCharge:
    left_minor = net_minor - given_back if state in (PAID, "part_refunded") else 0
    return StayCharge(ident, net_minor, state, is_tried, left_minor)


states = st.sampled_from([PAID, DUE, "arrears", "waived", "part_refunded"])
charges = st.lists(st.tuples(st.integers(1, 5_000), states, st.integers(0, 100)), min_size=1, max_size=4)


@given(charges, st.integers(0, 20_000), st.integers(0, 20_000))
def test_the_moves_add_up_to_the_difference(made: list[tuple[int, str, int]], from_minor: int, to_minor: int) -> None:
    of_stay = [
        charge(ident, net, state, given_back=net * percent // 100) for ident, (net, state, percent) in enumerate(made)
    ]
    planned = plan(from_minor=from_minor, to_minor=to_minor, charges=of_stay)
    assert planned is not None
    moved = planned.raise_minor - planned.waived_minor - planned.refunded_minor - planned.short_minor
    assert moved == to_minor - from_minor
    left = {one.charge_id: one.left_minor for one in of_stay}
    assert all(0 < amount <= left[ident] for ident, amount in planned.refunds)
    assert {one.state for one in planned.waive} <= {DUE, "arrears"}
    assert planned.short_minor == 0 or planned.raise_minor == 0


def test_an_attempt_that_lives_puts_it_off() -> None:
    assert plan(from_minor=100, to_minor=50, charges=[charge(1, 100, "arrears", is_tried=True)]) is None
    assert plan(from_minor=100, to_minor=50, charges=[charge(1, 100, "attempting")]) is None
    assert plan(from_minor=100, to_minor=100, charges=[charge(1, 100, "attempting")]) == Plan(100, 100)


def test_unpaid_money_is_replaced_before_paid_money_goes_back() -> None:
    paid, due = charge(1, 100, PAID), charge(2, 50, DUE)
    assert plan(from_minor=150, to_minor=120, charges=[paid, due]) == Plan(150, 120, [due], 20, [])
    assert plan(from_minor=150, to_minor=70, charges=[paid, due]) == Plan(150, 70, [due], 0, [(1, 30)])
    assert plan(from_minor=150, to_minor=170, charges=[paid, due]) == Plan(150, 170, [due], 70)


def test_what_went_back_before_is_short() -> None:
    assert plan(from_minor=100, to_minor=0, charges=[charge(1, 100, "part_refunded", given_back=80)]) == Plan(
        100, 0, [], 0, [(1, 20)], 80
    )
