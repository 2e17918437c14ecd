"""Who waits with uploads is served in turn: operators alike, gates alike, live before old, and nobody never."""

import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.gate.fair_queue import Full, Line, TooMany, TwoLines

UPLOAD = st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 50))


def line(scans_max: int = 1_000_000, per_gate_max: int = 1_000) -> Line[tuple[int, int, int, int]]:
    return Line(scans_max=scans_max, per_gate_max=per_gate_max)


def put(into: Line[tuple[int, int, int, int]], operator_id: int, gate: int, scans: int, number: int = 0) -> None:
    # The same gate number at two operators is two gates.
    into.put((operator_id, gate, scans, number), operator_id=operator_id, gate_id=10 * operator_id + gate, scans=scans)


@given(st.lists(UPLOAD, max_size=60), st.integers(1, 200))
def test_everything_that_waits_is_taken_once_and_each_gate_in_its_order(
    uploads: list[tuple[int, int, int]], scans_max: int
) -> None:
    waiting = line()
    for number, upload in enumerate(uploads):
        put(waiting, *upload, number)
    taken = []
    while waiting:
        turn = waiting.take(scans_max)
        assert turn
        assert sum(scans for _, _, scans, _ in turn[1:]) <= max(scans_max - turn[0][2], 0)
        taken += turn
    assert Counter(taken) == Counter((*upload, number) for number, upload in enumerate(uploads))
    for gate in {one[:2] for one in taken}:
        numbers = [number for *one, number in taken if tuple(one[:2]) == gate]
        assert numbers == sorted(numbers)
    assert waiting.scans == 0


@given(st.lists(st.integers(1, 50), min_size=40, max_size=40), st.integers(2, 4))
def test_operators_with_enough_to_send_get_the_same_share(sizes: list[int], operators: int) -> None:
    waiting = line()
    for size in sizes:
        # The first operator has ten times the gates of the others.
        for operator_id in range(operators):
            for gate in range(10 if operator_id == 0 else 1):
                put(waiting, operator_id, gate, size)
    had: Counter[int] = Counter()
    least_waiting = sum(sizes)
    while min(least_waiting - had[operator_id] for operator_id in range(1, operators)) > 100:
        [(operator_id, _, scans, _)] = waiting.take(1)
        had[operator_id] += scans
        # Nobody is ever ahead of another one by more than one upload each.
        assert max(had.values()) - min(had[one] for one in range(operators)) <= 2 * max(sizes)


def test_a_gate_with_much_to_send_does_not_hold_up_the_others_of_its_operator() -> None:
    waiting = line()
    for number in range(50):
        put(waiting, 1, 0, 2_000, number)
    put(waiting, 1, 1, 20)
    assert (1, 1, 20, 0) in waiting.take(4_000)


def test_who_was_silent_has_not_saved_up_turns() -> None:
    waiting = line()
    for number in range(100):
        put(waiting, 1, 0, 10, number)
    waiting.take(500)
    for number in range(100):
        put(waiting, 2, 0, 10, number)
    shares = Counter(operator_id for operator_id, *_ in waiting.take(200))
    assert abs(shares[1] - shares[2]) <= 1


def test_what_waits_is_bounded_in_all_and_per_gate() -> None:
    waiting = line(scans_max=100, per_gate_max=2)
    put(waiting, 1, 0, 10)
    put(waiting, 1, 0, 10)
    with pytest.raises(TooMany):
        put(waiting, 1, 0, 10)
    put(waiting, 1, 1, 10)
    put(waiting, 2, 0, 70)
    with pytest.raises(Full):
        put(waiting, 3, 0, 1)
    assert (len(waiting.take(1_000)), waiting.scans) == (4, 0)
    put(waiting, 1, 0, 10)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_an_operator_that_floods_the_line_leaves_room_for_another(sizes: list[int]) -> None:
    waiting = line(scans_max=200)
    for number, scans in enumerate(sizes):
        with contextlib.suppress(Full):
            put(waiting, 1, number, scans, number)
    put(waiting, 2, 0, 1)


@given(st.integers(0, 40), st.integers(0, 40))
def test_old_uploads_fill_what_live_ones_leave_and_always_come_through(live: int, old: int) -> None:
    both = TwoLines(live=line(), backlog=line(), backlog_scans=50)
    for number in range(live):
        put(both.live, 1, 0, 20, number)
    for number in range(old):
        put(both.backlog, 2, 0, 20, number)
    turn = both.take(400)
    scans = Counter[int]()
    for operator_id, _, size, _ in turn:
        scans[operator_id] += size
    assert scans[1] >= min(20 * live, 350 - 20)
    assert scans[2] >= min(20 * old, 40)
    assert scans[2] <= 200
    assert [one[0] for one in turn] == sorted(one[0] for one in turn)
