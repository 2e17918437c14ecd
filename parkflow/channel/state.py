"""How a lot is taken on by a channel: applied for, tried out, live; only a lot in testing or live is deducted for."""

from enum import StrEnum
from typing import Final

from parkflow.kit.machine import Machine


class LotChannelState(StrEnum):
    """States of a lot at a channel."""

    APPLIED = "applied"
    ACCEPTED = "accepted"
    TESTING = "testing"
    LIVE = "live"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    REJECTED = "rejected"


class LotChannelEvent(StrEnum):
    """What happens to a lot at a channel."""

    ACCEPT = "accept"
    REJECT = "reject"
    START_TEST = "start_test"
    GO_LIVE = "go_live"
    SUSPEND = "suspend"
    RESUME = "resume"
    CLOSE = "close"


LOT_CHANNEL: Final = Machine(
    name="lot_channel",
    initial=LotChannelState.APPLIED,
    table={
        (LotChannelState.APPLIED, LotChannelEvent.ACCEPT): LotChannelState.ACCEPTED,
        (LotChannelState.APPLIED, LotChannelEvent.REJECT): LotChannelState.REJECTED,
        (LotChannelState.ACCEPTED, LotChannelEvent.START_TEST): LotChannelState.TESTING,
        (LotChannelState.TESTING, LotChannelEvent.GO_LIVE): LotChannelState.LIVE,
        (LotChannelState.LIVE, LotChannelEvent.SUSPEND): LotChannelState.SUSPENDED,
        (LotChannelState.SUSPENDED, LotChannelEvent.RESUME): LotChannelState.LIVE,
        (LotChannelState.SUSPENDED, LotChannelEvent.CLOSE): LotChannelState.CLOSED,
    },
    final=frozenset({LotChannelState.CLOSED, LotChannelState.REJECTED}),
    audited=True,
)

# Where money may be taken.
DEDUCTING: Final = frozenset({LotChannelState.TESTING, LotChannelState.LIVE})
