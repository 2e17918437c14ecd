"""Which card gets a credential, what the device signs for one, and when a new deny filter is due."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple, assert_never

from parkflow.card.state import CardState, FreezeReason
from parkflow.kit.errors import ParkflowError

# A credential begins a little before it was asked for: the phone's code and the gate's clock may both be behind.
NOT_BEFORE_SLACK_SECONDS: Final = 60
REQUEST_AGE_MAX: Final = timedelta(minutes=5)
DEVICES_PER_CARD_MAX: Final = 5
_ID_BYTES: Final = 8


class CardInArrears(ParkflowError):
    """The card is in arrears: repay them, and a new credential is issued at once."""

    code = "card_in_arrears"
    status = 409


class CardFrozen(ParkflowError):
    """The card is frozen; ask the operator."""

    code = "card_frozen"
    status = 409


class CardReturning(ParkflowError):
    """The card is being returned; withdraw the return to use it again."""

    code = "card_returning"
    status = 409


class CardNotActive(ParkflowError):
    """The card is not active: it needs its deposit paid first, or it was returned."""

    code = "card_not_active"
    status = 409


class CredentialRequest(NamedTuple):
    """What a device asks for; `requested_at_s` are unix seconds of the phone's clock."""

    device_id: int
    code_key: bytes
    requested_at_s: int
    signature: bytes

    def message(self, card_id: int) -> bytes:
        """The bytes that the device signs under the purpose `credential-request/1`."""
        return (
            card_id.to_bytes(_ID_BYTES, "big")
            + self.device_id.to_bytes(_ID_BYTES, "big")
            + self.code_key
            + self.requested_at_s.to_bytes(_ID_BYTES, "big")
        )


def issue_refusal(state: CardState, reasons: Collection[FreezeReason]) -> ParkflowError | None:
    """Why a card in this state gets no credential; None when it gets one."""
    match state:
        case CardState.ACTIVE:
            return None
        case CardState.FROZEN:
            return CardInArrears() if FreezeReason.ARREARS in reasons else CardFrozen()
        case CardState.RETURNING:
            return CardReturning()
        case CardState.ISSUED | CardState.RETURNED:
            return CardNotActive()
        case _:
            assert_never(state)


@dataclass(frozen=True, slots=True)
class DenyLimits:
    """When denied subjects go into a filter.

    exact_max: up to here a bundle lists all of them, which no gate can misread. delta_max: so many new ones beside a
    filter (64 KiB of a bundle) call for the next one. filter_age_max: a filter also holds what has expired since, so it
    is built anew daily. cleared_max: honest subjects that a bundle names because the filter hits them (1 MiB).
    """

    exact_max: int = 1_024
    delta_max: int = 4_096
    filter_age_max: timedelta = timedelta(hours=24)
    cleared_max: int = 65_536


DENY_LIMITS: Final = DenyLimits()


def filter_is_due(*, denied: int, exact: int, filter_age: timedelta | None, limits: DenyLimits) -> bool:
    """Whether to build a new filter: `denied` in all, `exact` of them not in the filter there is."""
    if denied <= limits.exact_max:
        return False
    return filter_age is None or exact > limits.delta_max or filter_age > limits.filter_age_max
