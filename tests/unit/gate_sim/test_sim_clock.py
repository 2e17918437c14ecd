"""The virtual clock file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

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
