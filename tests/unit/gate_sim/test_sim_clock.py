"""The virtual clock file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from gate_sim.clock import VirtualClock

START = datetime(2017, 10, 20, 10, tzinfo=UTC)


def test_every_process_that_attaches_sees_the_hand_move(tmp_path: Path) -> None:
    hand = VirtualClock(tmp_path / "clock", START)
    watcher = VirtualClock.attach(f"file:{tmp_path / 'clock'}")
    hand.move_to(START + timedelta(microseconds=1))
    assert watcher.now() == START + timedelta(microseconds=1)


def test_the_file_holds_eight_bytes_of_microseconds(tmp_path: Path) -> None:
    VirtualClock(tmp_path / "clock", START)
    content = (tmp_path / "clock").read_bytes()
    assert len(content) == 8
    assert int.from_bytes(content, "little", signed=True) == int(START.timestamp()) * 1_000_000


def test_the_clock_does_not_go_back(tmp_path: Path) -> None:
    hand = VirtualClock(tmp_path / "clock", START)
    with pytest.raises(AssertionError, match="does not go back"):
        hand.move_to(START - timedelta(seconds=1))


def test_two_hands_that_advance_one_clock_both_count(tmp_path: Path) -> None:
    one = VirtualClock(tmp_path / "clock", START)
    other = VirtualClock.attach(f"file:{tmp_path / 'clock'}")

    def advance(clock: VirtualClock) -> None:
        for _ in range(500):
            clock.advance(timedelta(seconds=1))

    threads = [Thread(target=advance, args=(clock,)) for clock in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.now() == START + timedelta(seconds=1_000)
