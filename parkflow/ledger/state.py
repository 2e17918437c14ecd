"""The business day: open while postings land on it, closing while it is counted, closed for ever."""

from enum import StrEnum
from typing import Final

from parkflow.kit.machine import Machine


class DayState(StrEnum):
    """States of a business day."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class DayEvent(StrEnum):
    """What happens to a business day."""

    BEGIN_CLOSE = "begin_close"
    FINISH_CLOSE = "finish_close"


BUSINESS_DAY: Final = Machine(
    name="business_day",
    initial=DayState.OPEN,
    table={
        (DayState.OPEN, DayEvent.BEGIN_CLOSE): DayState.CLOSING,
        (DayState.CLOSING, DayEvent.FINISH_CLOSE): DayState.CLOSED,
    },
    final=frozenset({DayState.CLOSED}),
    audited=True,
)
