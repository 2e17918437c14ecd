"""Reason codes of stays, stable and told to people: how the ends of a stay are known, and why it was corrected.

`docs/stays.md` explains each of them.
"""

from enum import StrEnum
from typing import Final


class Mark(StrEnum):
    """What is special about a stay, as it is known now."""

    CLOCK_DOUBT = "clock_doubt"
    CROSS_MEDIUM = "cross_medium"
    DOUBLE_ENTRY = "double_entry"
    MISSING_EXIT = "missing_exit"
    EXIT_FROM_NEXT_ENTRY = "exit_from_next_entry"
    EXIT_AT_MAXIMUM = "exit_at_maximum"
    EXIT_BY_OPERATOR = "exit_by_operator"
    ENTRY_AT_MAXIMUM = "entry_at_maximum"
    ENTRY_BY_OPERATOR = "entry_by_operator"
    ABANDONED_BY_OPERATOR = "abandoned_by_operator"
    WAIVED_BY_OPERATOR = "waived_by_operator"


class Repair(StrEnum):
    """Why a stay that was over is another one now."""

    EXIT_ARRIVED = "exit_arrived"
    EXIT_REPLACED = "exit_replaced"
    EXIT_REASSIGNED = "exit_reassigned"
    EXIT_BOUND_MOVED = "exit_bound_moved"
    ENTRY_REPEATED = "entry_repeated"
    ENTRY_ARRIVED = "entry_arrived"
    STAY_REVIVED = "stay_revived"
    DECIDED = "decided"
    ACCOUNT_RESETTLED = "account_resettled"


NO_MARKS: Final[frozenset[Mark]] = frozenset()
EXITS_WITHOUT_SCAN: Final = frozenset({Mark.EXIT_FROM_NEXT_ENTRY, Mark.EXIT_AT_MAXIMUM, Mark.EXIT_BY_OPERATOR})
