"""Rules of state machines as tables."""

from enum import StrEnum

import pytest

from parkflow.kit.machine import IllegalTransition, Machine


class Door(StrEnum):
    SHUT = "shut"
    OPEN = "open"
    GONE = "gone"


class Push(StrEnum):
    PULL = "pull"
    CLOSE = "close"
    BREAK = "break"


DOOR = Machine(
    "door",
    Door.SHUT,
    {
        (Door.SHUT, Push.PULL): Door.OPEN,
        (Door.OPEN, Push.CLOSE): Door.SHUT,
        (Door.SHUT, Push.BREAK): Door.GONE,
        (Door.OPEN, Push.BREAK): Door.GONE,
    },
    final=frozenset({Door.GONE}),
)


@pytest.mark.parametrize("state", Door)
@pytest.mark.parametrize("event", Push)
def test_what_is_not_in_the_table_is_refused(state: Door, event: Push) -> None:
    if (state, event) in DOOR.table:
        assert DOOR.next(state, event) == DOOR.table[state, event]
        assert DOOR.allows(state, event)
    else:
        assert not DOOR.allows(state, event)
        with pytest.raises(IllegalTransition, match=f"door is {state}"):
            DOOR.next(state, event)


def test_sources_and_final_states_follow_from_the_table() -> None:
    assert DOOR.sources(Push.BREAK) == {Door.SHUT, Door.OPEN}
    assert DOOR.is_final(Door.GONE)
    assert not DOOR.is_final(Door.OPEN)
    assert DOOR.states == (Door.SHUT, Door.OPEN, Door.GONE)
    assert DOOR.events == (Push.PULL, Push.CLOSE, Push.BREAK)


def test_a_state_without_a_way_out_must_be_final() -> None:
    with pytest.raises(AssertionError, match="not final"):
        Machine("door", Door.SHUT, DOOR.table, final=frozenset())


def test_a_state_that_nothing_reaches_is_refused() -> None:
    with pytest.raises(AssertionError, match="nothing leads to"):
        Machine("door", Door.SHUT, {(Door.SHUT, Push.BREAK): Door.GONE}, final=frozenset({Door.GONE, Door.OPEN}))
