"""The states of a stay."""

from enum import StrEnum

from parkflow.kit.machine import Machine


class StayState(StrEnum):
    """How far a stay has come."""

    OPEN = "open"
    HELD = "held"  # its exit never came, and the lot's policy wants a person to decide
    CLOSED = "closed"
    PRICED = "priced"
    ABANDONED = "abandoned"  # its exit never came; nothing is charged
    WAIVED = "waived"
    VOID = "void"  # it turned out to be no stay; nothing is charged


class StayEvent(StrEnum):
    """What happens to a stay. correct: a late scan, or a person, gives it other ends, and its fee is computed again."""

    CLOSE = "close"
    PRICE = "price"
    HOLD = "hold"
    ABANDON = "abandon"
    WAIVE = "waive"
    CORRECT = "correct"
    DISSOLVE = "dissolve"


_S, _E = StayState, StayEvent

STAY = Machine(
    name="stay",
    initial=_S.OPEN,
    table={
        (_S.OPEN, _E.CLOSE): _S.CLOSED,
        (_S.HELD, _E.CLOSE): _S.CLOSED,
        (_S.CLOSED, _E.PRICE): _S.PRICED,
        # Two scans of one passage, the first of which came last: the stay of the second never was.
        **{(state, _E.DISSOLVE): _S.VOID for state in _S if state is not _S.VOID},
        # Its exit is that of a later entry, and another is missing.
        **{(state, _E.ABANDON): _S.ABANDONED for state in _S if state not in (_S.ABANDONED, _S.WAIVED)},
        **{(state, _E.HOLD): _S.HELD for state in _S if state not in (_S.HELD, _S.WAIVED)},
        **{(state, _E.WAIVE): _S.WAIVED for state in _S if state not in (_S.WAIVED, _S.OPEN)},
        # Also what was given up, or seemed to be none: a late exit shows that it was a stay.
        **{(state, _E.CORRECT): _S.CLOSED for state in (_S.CLOSED, _S.PRICED, _S.ABANDONED, _S.VOID)},
    },
    final=frozenset(),
)
