"""The states of a stay."""

from enum import StrEnum

from parkflow.kit.machine import Machine


class StayState(StrEnum):
    """How far a stay has come."""

    OPEN = "open"
    CLOSED = "closed"
    PRICED = "priced"
    ABANDONED = "abandoned"  # its exit never came; nothing is charged
    WAIVED = "waived"


class StayEvent(StrEnum):
    """What happens to a stay."""

    CLOSE = "close"
    PRICE = "price"
    ABANDON = "abandon"
    WAIVE = "waive"


STAY = Machine(
    name="stay",
    initial=StayState.OPEN,
    table={
        (StayState.OPEN, StayEvent.CLOSE): StayState.CLOSED,
        (StayState.OPEN, StayEvent.ABANDON): StayState.ABANDONED,
        (StayState.CLOSED, StayEvent.PRICE): StayState.PRICED,
        (StayState.PRICED, StayEvent.WAIVE): StayState.WAIVED,
    },
    final=frozenset({StayState.ABANDONED, StayState.WAIVED}),
)
