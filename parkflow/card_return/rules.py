"""When a returned card's deposit may be refunded: a pure decision over what is known of the card."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from parkflow.card_return.state import ReturnEvent, ReturnState


class BlockReason(StrEnum):
    """Why a deposit stays held; the order is the order in which they are told, what the driver can end first."""

    ARREARS = "arrears"
    STAY_OPEN = "stay_open"
    CHARGE_DUE = "charge_due"
    ATTEMPT_UNKNOWN = "attempt_unknown"
    SCAN_UNSETTLED = "scan_unsettled"
    GATE_WATERMARK = "gate_watermark"


# What only the driver can end is told at once; the rest settles by itself within the wait and is counted after it.
TOLD_DURING_WAIT = frozenset({BlockReason.ARREARS, BlockReason.STAY_OPEN})


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What is known of a returning card at one moment (counts, and money in minor units of the operator's currency).

    gates_behind: gates of the operator that may have seen the card and whose uploads are not complete to the request.
    deposit_minor: what was paid as deposit and not given back yet.
    """

    arrears: int = 0
    stays_open: int = 0
    charges_due: int = 0
    attempts_unknown: int = 0
    scans_unsettled: int = 0
    gates_behind: int = 0
    deposit_minor: int = 0


@dataclass(frozen=True, slots=True)
class Refund:
    """Give `deposit_minor` back (0: there is nothing to give, the return completes)."""

    deposit_minor: int


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something stands against the refund."""

    reason: BlockReason


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing stands against it, but the wait lasts until then."""

    until: datetime


Decision = Refund | Blocked | Wait


def decide_return(*, now: datetime, release_after: datetime, facts: CardFacts) -> Decision:
    """What to do about one return now.

    A refund needs both: the wait is over, and nothing is open, due, unknown, in arrears or possibly still on its way
    from a gate.
    """
    reasons = block_reasons(facts)
    if now < release_after:
        told = [reason for reason in reasons if reason in TOLD_DURING_WAIT]
        return Blocked(told[0]) if told else Wait(release_after)
    if reasons:
        return Blocked(reasons[0])
    return Refund(facts.deposit_minor)


def block_reasons(facts: CardFacts) -> Sequence[BlockReason]:
    """All that stands against a refund, most telling first."""
    return [reason for reason in BlockReason if _count(facts, reason) > 0]


def events_of(*, state: ReturnState, blocked_reason: str | None, decision: Decision) -> tuple[ReturnEvent, ...]:
    """The transitions that bring a return in `state` to where `decision` wants it; none when it is there already.

    A return that is blocked for another reason than before passes through waiting, so that both reasons are on record.
    """
    assert state in (ReturnState.REQUESTED, ReturnState.WAITING, ReturnState.BLOCKED), f"nothing to decide in {state}"
    match decision:
        case Wait():
            return () if state is ReturnState.WAITING else (ReturnEvent.WAIT,)
        case Blocked(reason):
            if state is ReturnState.BLOCKED and blocked_reason == reason:
                return ()
            return _through_waiting(state, ReturnEvent.BLOCK)
        case Refund():
            return _through_waiting(state, ReturnEvent.RELEASE)
        case _:
            assert_never(decision)


def _through_waiting(state: ReturnState, event: ReturnEvent) -> tuple[ReturnEvent, ...]:
    return (event,) if state is ReturnState.WAITING else (ReturnEvent.WAIT, event)


def _count(facts: CardFacts, reason: BlockReason) -> int:
    match reason:
        case BlockReason.ARREARS:
            return facts.arrears
        case BlockReason.STAY_OPEN:
            return facts.stays_open
        case BlockReason.CHARGE_DUE:
            return facts.charges_due
        case BlockReason.ATTEMPT_UNKNOWN:
            return facts.attempts_unknown
        case BlockReason.SCAN_UNSETTLED:
            return facts.scans_unsettled
        case BlockReason.GATE_WATERMARK:
            return facts.gates_behind
        case _:
            assert_never(reason)
