"""What a lot does with passages that nobody saw is policy; a lot that says nothing does what it always did."""

import pytest

from parkflow.lot.rules import InvalidLot, MissingEntry, MissingExit, lot_policy


def test_a_lot_that_says_nothing_abandons_and_rejects() -> None:
    policy = lot_policy({})
    assert (policy.missing_exit, policy.missing_entry) == (MissingExit.ABANDON, MissingEntry.REJECT)
    assert lot_policy(policy.to_json()) == policy


@pytest.mark.parametrize(
    "given",
    [{"missing_exit": "guess"}, {"missing_entry": "next_entry"}, {"missing_minutes": 0}, {"missing_minutes": "x"}],
)
def test_an_unknown_choice_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(InvalidLot, match=next(iter(given))):
        lot_policy(given)
