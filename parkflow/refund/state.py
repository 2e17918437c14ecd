"""The states of a refund; it keeps one number, so it may be asked for as often as answers get lost."""

from enum import StrEnum
from typing import Final

from parkflow.kit.machine import Machine


class RefundState(StrEnum):
    """declined: the channel will not give the money back; a person has to look."""

    RECORDED = "recorded"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    UNKNOWN = "unknown"


class RefundEvent(StrEnum):
    """What may happen to a refund."""

    SEND = "send"
    SUCCEED = "succeed"
    DECLINE = "decline"
    LOSE_SIGHT = "lose_sight"


_S, _E = RefundState, RefundEvent

REFUND: Final = Machine(
    name="refund",
    initial=_S.RECORDED,
    table={
        (_S.RECORDED, _E.SEND): _S.SENT,
        (_S.SENT, _E.SUCCEED): _S.SUCCEEDED,
        (_S.SENT, _E.DECLINE): _S.DECLINED,
        (_S.SENT, _E.LOSE_SIGHT): _S.UNKNOWN,
        (_S.UNKNOWN, _E.LOSE_SIGHT): _S.UNKNOWN,
        (_S.UNKNOWN, _E.SUCCEED): _S.SUCCEEDED,
        (_S.UNKNOWN, _E.DECLINE): _S.DECLINED,
        # A notification may know better than a refusal.
        (_S.DECLINED, _E.SUCCEED): _S.SUCCEEDED,
    },
    final=frozenset({_S.SUCCEEDED}),
)
