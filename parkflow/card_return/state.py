"""States of a card return."""

from enum import StrEnum
from typing import Final

from parkflow.kit.machine import Machine


class ReturnState(StrEnum):
    REQUESTED = "requested"
    WAITING = "waiting"
    BLOCKED = "blocked"
    RELEASING = "releasing"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"


class ReturnEvent(StrEnum):
    WAIT = "wait"
    BLOCK = "block"
    RELEASE = "release"
    COMPLETE = "complete"
    WITHDRAW = "withdraw"


CARD_RETURN: Final = Machine(
    name="card_return",
    initial=ReturnState.REQUESTED,
    table={
        (ReturnState.REQUESTED, ReturnEvent.WAIT): ReturnState.WAITING,
        (ReturnState.REQUESTED, ReturnEvent.WITHDRAW): ReturnState.WITHDRAWN,
        (ReturnState.WAITING, ReturnEvent.BLOCK): ReturnState.BLOCKED,
        (ReturnState.WAITING, ReturnEvent.RELEASE): ReturnState.RELEASING,
        (ReturnState.WAITING, ReturnEvent.WITHDRAW): ReturnState.WITHDRAWN,
        (ReturnState.BLOCKED, ReturnEvent.WAIT): ReturnState.WAITING,
        (ReturnState.BLOCKED, ReturnEvent.WITHDRAW): ReturnState.WITHDRAWN,
        (ReturnState.RELEASING, ReturnEvent.COMPLETE): ReturnState.COMPLETED,
    },
    final=frozenset({ReturnState.COMPLETED, ReturnState.WITHDRAWN}),
    audited=True,
)
