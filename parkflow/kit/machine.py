"""State machines as tables: which event leads from which state to which."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from parkflow.kit.errors import ParkflowError

StateT = TypeVar("StateT", bound=StrEnum)
EventT = TypeVar("EventT", bound=StrEnum)


class IllegalTransition(ParkflowError):
    """The thing is in a state in which this may not happen."""

    code = "illegal_transition"
    status = 409


@dataclass(frozen=True, eq=False)
class Machine(Generic[StateT, EventT]):
    """One state machine.

    name: the machine's name and, unless a caller says otherwise, its table.
    table: {(state, event): next state}; what is not in it is refused.
    final: the states that nothing leaves.
    audited: whether each transition writes a `state_change` row (low-volume machines only).
    """

    name: str
    initial: StateT
    table: Mapping[tuple[StateT, EventT], StateT]
    final: frozenset[StateT]
    audited: bool = False

    def __post_init__(self) -> None:
        left = {state for state, _ in self.table}
        stuck = set(self.states) - left - self.final
        assert not stuck, f"{self.name}: nothing leaves {sorted(stuck)} and they are not final"
        assert not left & self.final, f"{self.name}: final states are left: {sorted(left & self.final)}"
        unreached = set(self.states) - set(self.table.values()) - {self.initial}
        assert not unreached, f"{self.name}: nothing leads to {sorted(unreached)}"

    @property
    def states(self) -> tuple[StateT, ...]:
        """All states in the order of their enum."""
        return tuple(type(self.initial))

    @property
    def events(self) -> tuple[EventT, ...]:
        """All events in the order of their first use."""
        return tuple(dict.fromkeys(event for _, event in self.table))

    def next(self, state: StateT, event: EventT) -> StateT:
        """The state after `event` in `state`. Raises IllegalTransition."""
        try:
            return self.table[state, event]
        except KeyError:
            raise self.refusal(state, event) from None

    def allows(self, state: StateT, event: EventT) -> bool:
        """Whether `event` may happen in `state`."""
        return (state, event) in self.table

    def sources(self, event: EventT) -> frozenset[StateT]:
        """The states in which `event` may happen."""
        return frozenset(state for state, _ in self.steps(event))

    def steps(self, event: EventT) -> Iterator[tuple[StateT, StateT]]:
        """(from, to) for each state in which `event` may happen."""
        return ((state, after) for (state, at), after in self.table.items() if at == event)

    def is_final(self, state: StateT) -> bool:
        """Whether nothing leaves `state`."""
        return state in self.final

    def refusal(self, state: str, event: EventT) -> IllegalTransition:
        """The error that says that `event` may not happen in `state`, and where it may."""
        allowed = ", ".join(sorted(self.sources(event))) or "no state"
        return IllegalTransition(f"{self.name} is {state}: {event} is possible only in {allowed}")
