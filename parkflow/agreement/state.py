"""The states of an agreement."""

from enum import StrEnum
from typing import Final

from parkflow.kit.machine import Machine


class AgreementState(StrEnum):
    """pending: the driver has not confirmed at the channel yet. suspended: the channel or the driver paused it."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"
    EXPIRED = "expired"


class AgreementEvent(StrEnum):
    """What may happen to an agreement."""

    CONFIRM = "confirm"
    EXPIRE = "expire"
    SUSPEND = "suspend"
    RESUME = "resume"
    END = "end"


_S, _E = AgreementState, AgreementEvent

AGREEMENT: Final = Machine(
    name="agreement",
    initial=_S.PENDING,
    table={
        (_S.PENDING, _E.CONFIRM): _S.ACTIVE,
        (_S.PENDING, _E.EXPIRE): _S.EXPIRED,
        (_S.ACTIVE, _E.SUSPEND): _S.SUSPENDED,
        (_S.SUSPENDED, _E.RESUME): _S.ACTIVE,
        (_S.ACTIVE, _E.END): _S.ENDED,
        (_S.SUSPENDED, _E.END): _S.ENDED,
    },
    final=frozenset({_S.ENDED, _S.EXPIRED}),
    audited=True,
)
