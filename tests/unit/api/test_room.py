"""Room for bodies: bounded in all, and whoever wants all of it leaves some for the next one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.api.room import Room, ServiceBusy

BYTES_MAX = 1_000


def take_all(room: Room, owner: int, count: int) -> int:
    """How much of it an owner gets in such pieces."""
    taken = 0
    while True:
        try:
            room.take(owner, count)
        except ServiceBusy:
            return taken
        taken += count


def test_one_alone_gets_three_quarters() -> None:
    assert take_all(Room(BYTES_MAX), 1, 1) == 750


@given(st.lists(st.integers(1, 50), min_size=1, max_size=3))
def test_of_those_who_want_all_each_leaves_some_for_the_next_one(counts: list[int]) -> None:
    room = Room(BYTES_MAX)
    for owner, count in enumerate(counts):
        take_all(room, owner, count)
    room.take(len(counts), 10)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400)), max_size=60))
def test_what_is_given_back_can_be_taken_again(wishes: list[tuple[int, int]]) -> None:
    room, held = Room(BYTES_MAX), []
    for owner, count in wishes:
        try:
            room.take(owner, count)
        except ServiceBusy:
            continue
        held.append((owner, count))
        assert sum(count for _, count in held) <= BYTES_MAX
    for owner, count in held:
        room.give(owner, count)
    assert take_all(room, 9, 1) == 750


def test_nothing_is_taken_by_who_is_refused() -> None:
    room = Room(BYTES_MAX)
    for _ in range(3):
        with pytest.raises(ServiceBusy):
            room.take(1, BYTES_MAX)
    room.take(1, 750)
