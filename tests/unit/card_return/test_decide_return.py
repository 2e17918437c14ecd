"""The decision about a returned card's deposit: every combination of facts, before and after the end of the wait."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.card_return.rules import (
    TOLD_DURING_WAIT,
    Blocked,
    BlockReason,
    CardFacts,
    Decision,
    Refund,
    Wait,
    decide_return,
    events_of,
)
from parkflow.card_return.state import CARD_RETURN, ReturnEvent, ReturnState

RELEASE_AFTER = datetime(2017, 10, 24, 8, tzinfo=UTC)
BEFORE, AFTER = RELEASE_AFTER - timedelta(microseconds=1), RELEASE_AFTER + timedelta(hours=5)
UNDECIDED = (ReturnState.REQUESTED, ReturnState.WAITING, ReturnState.BLOCKED)
FIELD_OF = {
    BlockReason.ARREARS: "arrears",
    BlockReason.STAY_OPEN: "stays_open",
    BlockReason.CHARGE_DUE: "charges_due",
    BlockReason.ATTEMPT_UNKNOWN: "attempts_unknown",
    BlockReason.SCAN_UNSETTLED: "scans_unsettled",
    BlockReason.GATE_WATERMARK: "gates_behind",
}


def facts_with(reasons: set[BlockReason]) -> CardFacts:
    return CardFacts(deposit_minor=2_000, **{FIELD_OF[reason]: 1 for reason in reasons})


ALL_SETS = [
    {reason for reason, present in zip(BlockReason, flags, strict=True) if present}
    for flags in product((False, True), repeat=len(BlockReason))
]


@pytest.mark.parametrize("now", [RELEASE_AFTER, AFTER])
def test_after_the_wait_a_refund_needs_that_nothing_at_all_stands_against_it(now: datetime) -> None:
    for reasons in ALL_SETS:
        decision = decide_return(now=now, release_after=RELEASE_AFTER, facts=facts_with(reasons))
        first = next((reason for reason in BlockReason if reason in reasons), None)
        assert decision == (Refund(2_000) if first is None else Blocked(first)), reasons


def test_before_the_end_of_the_wait_nothing_is_refunded_and_only_what_the_driver_can_end_is_told() -> None:
    for reasons in ALL_SETS:
        decision = decide_return(now=BEFORE, release_after=RELEASE_AFTER, facts=facts_with(reasons))
        told = next((reason for reason in BlockReason if reason in reasons & TOLD_DURING_WAIT), None)
        assert decision == (Wait(RELEASE_AFTER) if told is None else Blocked(told)), reasons


def test_a_card_without_deposit_is_released_with_nothing_to_refund() -> None:
    assert decide_return(now=AFTER, release_after=RELEASE_AFTER, facts=CardFacts()) == Refund(0)


@given(
    seconds=st.integers(-400_000, 400_000),
    counts=st.lists(st.integers(0, 3), min_size=len(BlockReason), max_size=len(BlockReason)),
    deposit_minor=st.integers(0, 10**9),
)
def test_a_refund_is_the_whole_deposit_and_never_comes_early_or_while_something_is_open(
    seconds: int, counts: list[int], deposit_minor: int
) -> None:
    facts = CardFacts(
        deposit_minor=deposit_minor, **{FIELD_OF[reason]: n for reason, n in zip(BlockReason, counts, strict=True)}
    )
    now = RELEASE_AFTER + timedelta(seconds=seconds)
    decision = decide_return(now=now, release_after=RELEASE_AFTER, facts=facts)
    assert isinstance(decision, Refund) == (seconds >= 0 and not any(counts))
    if isinstance(decision, Refund):
        assert decision.deposit_minor == deposit_minor


DECISIONS: list[Decision] = [Wait(RELEASE_AFTER), Refund(1), *(Blocked(reason) for reason in BlockReason)]


# A return has a reason exactly when it is blocked.
STANDS: list[tuple[ReturnState, BlockReason | None]] = [
    (ReturnState.REQUESTED, None),
    (ReturnState.WAITING, None),
    *((ReturnState.BLOCKED, reason) for reason in BlockReason),
]


@pytest.mark.parametrize("decision", DECISIONS, ids=str)
@pytest.mark.parametrize(("state", "blocked_reason"), STANDS)
def test_the_events_are_legal_and_lead_to_what_was_decided(
    state: ReturnState, blocked_reason: BlockReason | None, decision: Decision
) -> None:
    at = state
    for event in events_of(state=state, blocked_reason=blocked_reason, decision=decision):
        at = CARD_RETURN.next(at, event)
    wanted = {Wait: ReturnState.WAITING, Blocked: ReturnState.BLOCKED, Refund: ReturnState.RELEASING}
    assert at is wanted[type(decision)]


@pytest.mark.parametrize("reason", BlockReason)
def test_a_return_that_stays_as_it_is_has_no_events(reason: BlockReason) -> None:
    assert events_of(state=ReturnState.BLOCKED, blocked_reason=reason, decision=Blocked(reason)) == ()
    assert events_of(state=ReturnState.WAITING, blocked_reason=None, decision=Wait(RELEASE_AFTER)) == ()


def test_only_a_return_without_refund_can_be_withdrawn() -> None:
    assert CARD_RETURN.sources(ReturnEvent.WITHDRAW) == frozenset(UNDECIDED)
