"""The states of a card, and why it may be frozen."""

from enum import StrEnum
from typing import Final

from parkflow.kit.machine import Machine


class CardState(StrEnum):
    """issued: the deposit is not paid yet. returning: handed in, the deposit waits for late scans."""

    ISSUED = "issued"
    ACTIVE = "active"
    FROZEN = "frozen"
    RETURNING = "returning"
    RETURNED = "returned"


class CardEvent(StrEnum):
    """What may happen to a card."""

    FUND = "fund"
    FREEZE = "freeze"
    THAW = "thaw"
    REQUEST_RETURN = "request_return"
    WITHDRAW_RETURN = "withdraw_return"
    FINISH_RETURN = "finish_return"


class FreezeReason(StrEnum):
    """Why a card is frozen; it thaws when the last reason is lifted."""

    ARREARS = "arrears"
    LOST = "lost"
    OPERATOR = "operator"
    RISK = "risk"


_S, _E = CardState, CardEvent

CARD: Final = Machine(
    name="card",
    initial=_S.ISSUED,
    table={
        (_S.ISSUED, _E.FUND): _S.ACTIVE,
        (_S.ACTIVE, _E.FREEZE): _S.FROZEN,
        (_S.FROZEN, _E.THAW): _S.ACTIVE,
        (_S.ACTIVE, _E.REQUEST_RETURN): _S.RETURNING,
        (_S.FROZEN, _E.REQUEST_RETURN): _S.RETURNING,
        # A card with a reason to be frozen is frozen again in the same transaction.
        (_S.RETURNING, _E.WITHDRAW_RETURN): _S.ACTIVE,
        (_S.RETURNING, _E.FINISH_RETURN): _S.RETURNED,
    },
    final=frozenset({_S.RETURNED}),
    audited=True,
)
