"""Rules of clocks: real or read from a shared file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from parkflow.kit.clock import ClockUnavailable, FileClock, FileClockHand, SystemClock, clock_from_environment

START = datetime(2017, 10, 20, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_file_clock_shows_what_its_hand_wrote(tmp_path: Path) -> None:
    hand = FileClockHand(tmp_path / "clock", START)
    clock = FileClock(tmp_path / "clock")
    assert clock.now() == START
    hand.move_to(START + timedelta(days=3, microseconds=1))
    assert clock.now() == START + timedelta(days=3, microseconds=1)
    assert clock.now().tzinfo is UTC


def test_a_file_clock_holds_little_endian_microseconds_since_the_epoch(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    path.write_bytes((1_000_001).to_bytes(8, "little", signed=True))
    assert FileClock(path).now() == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)


def test_wall_time_goes_on_while_business_time_stands(tmp_path: Path) -> None:
    FileClockHand(tmp_path / "clock", START)
    clock = FileClock(tmp_path / "clock")
    assert clock.wall() > START
    assert clock.monotonic_ns() <= clock.monotonic_ns()


def test_a_clock_does_not_go_back(tmp_path: Path) -> None:
    hand = FileClockHand(tmp_path / "clock", START)
    with pytest.raises(AssertionError, match="does not go back"):
        hand.move_to(START - timedelta(seconds=1))


def test_the_environment_names_the_clock(tmp_path: Path) -> None:
    FileClockHand(tmp_path / "clock", START)
    assert isinstance(clock_from_environment({}), SystemClock)
    assert clock_from_environment({"PARKFLOW_CLOCK": f"file:{tmp_path / 'clock'}"}).now() == START


@pytest.mark.parametrize("value", ["file:/nowhere/at/all", "sundial"])
def test_an_unusable_clock_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(ClockUnavailable) as caught:
        clock_from_environment({"PARKFLOW_CLOCK": value})
    assert "\n" not in caught.value.message


def test_a_short_clock_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clock").write_bytes(b"123")
    with pytest.raises(ClockUnavailable, match="8 bytes"):
        FileClock(tmp_path / "clock")
