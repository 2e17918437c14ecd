"""When a gate tries again."""

import random

from gate_sim.backoff import Backoff


def test_pauses_double_up_to_five_minutes_and_are_scattered() -> None:
    backoff = Backoff(random.Random(1))
    pauses = [backoff.after_failure() for _ in range(40)]
    for number, pause in enumerate(pauses):
        longest = min(300, 2**number)
        assert longest / 2 <= pause <= longest
    assert len(set(pauses)) == 40
    assert 54 <= backoff.after_success(60) <= 60
    assert backoff.after_failure() <= 1


def test_a_retry_after_is_never_undercut_and_gates_do_not_come_back_together() -> None:
    pauses = [Backoff(random.Random(seed)).after_failure(30) for seed in range(100)]
    assert all(30.5 <= pause <= 31 for pause in pauses)
    assert len(set(pauses)) == 100


def test_the_same_seed_gives_the_same_pauses() -> None:
    first, second = (Backoff(random.Random(7)) for _ in range(2))
    assert [first.after_failure() for _ in range(5)] == [second.after_failure() for _ in range(5)]
