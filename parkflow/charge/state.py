"""The states of a charge, and of an attempt to take its money."""

from enum import StrEnum
from typing import Final

from parkflow.kit.machine import Machine


class ChargeState(StrEnum):
    """attempting: an attempt lives. arrears: a cut-off counted it; it keeps this state while it is tried again."""

    DUE = "due"
    ATTEMPTING = "attempting"
    PAID = "paid"
    ARREARS = "arrears"
    WAIVED = "waived"
    PART_REFUNDED = "part_refunded"
    REFUNDED = "refunded"


class ChargeEvent(StrEnum):
    """What may happen to a charge."""

    ATTEMPT = "attempt"
    FAIL = "fail"
    PAY = "pay"
    FALL_BEHIND = "fall_behind"
    WAIVE = "waive"
    REFUND_PART = "refund_part"
    REFUND_ALL = "refund_all"


_C, _E = ChargeState, ChargeEvent

CHARGE: Final = Machine(
    name="charge",
    initial=_C.DUE,
    table={
        (_C.DUE, _E.ATTEMPT): _C.ATTEMPTING,
        (_C.ARREARS, _E.ATTEMPT): _C.ARREARS,
        (_C.ATTEMPTING, _E.FAIL): _C.DUE,
        (_C.ARREARS, _E.FAIL): _C.ARREARS,
        (_C.ATTEMPTING, _E.PAY): _C.PAID,
        (_C.ARREARS, _E.PAY): _C.PAID,
        # A success that was told after its decline: the money moved, so the charge is paid.
        (_C.DUE, _E.PAY): _C.PAID,
        (_C.DUE, _E.FALL_BEHIND): _C.ARREARS,
        (_C.DUE, _E.WAIVE): _C.WAIVED,
        (_C.ARREARS, _E.WAIVE): _C.WAIVED,
        (_C.PAID, _E.REFUND_PART): _C.PART_REFUNDED,
        (_C.PART_REFUNDED, _E.REFUND_PART): _C.PART_REFUNDED,
        (_C.PAID, _E.REFUND_ALL): _C.REFUNDED,
        (_C.PART_REFUNDED, _E.REFUND_ALL): _C.REFUNDED,
    },
    final=frozenset({_C.WAIVED, _C.REFUNDED}),
)


class AttemptState(StrEnum):
    """recorded: its bytes are committed, none has left. unknown: only a query, a notification or a bill leaves it."""

    RECORDED = "recorded"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    CLOSED = "closed"


class AttemptEvent(StrEnum):
    """What may happen to an attempt."""

    SEND = "send"
    SUCCEED = "succeed"
    SUCCEED_LATE = "succeed_late"
    DECLINE = "decline"
    LOSE_SIGHT = "lose_sight"
    CLOSE = "close"


_A, _F = AttemptState, AttemptEvent

ATTEMPT: Final = Machine(
    name="attempt",
    initial=_A.RECORDED,
    table={
        (_A.RECORDED, _F.SEND): _A.SENT,
        # Refused by our own rules before any byte left.
        (_A.RECORDED, _F.DECLINE): _A.DECLINED,
        (_A.SENT, _F.SUCCEED): _A.SUCCEEDED,
        (_A.SENT, _F.DECLINE): _A.DECLINED,
        (_A.SENT, _F.LOSE_SIGHT): _A.UNKNOWN,
        (_A.SENT, _F.CLOSE): _A.CLOSED,
        (_A.UNKNOWN, _F.SUCCEED): _A.SUCCEEDED,
        (_A.UNKNOWN, _F.DECLINE): _A.DECLINED,
        (_A.UNKNOWN, _F.LOSE_SIGHT): _A.UNKNOWN,
        (_A.UNKNOWN, _F.CLOSE): _A.CLOSED,
        # Channels take back what they said; money that moved is booked, and given back when the charge is settled.
        (_A.DECLINED, _F.SUCCEED_LATE): _A.SUCCEEDED,
        (_A.CLOSED, _F.SUCCEED_LATE): _A.SUCCEEDED,
    },
    final=frozenset({_A.SUCCEEDED}),
)

# An attempt that may still succeed; a charge has at most one.
LIVE: Final = frozenset({_A.RECORDED, _A.SENT, _A.UNKNOWN})
