"""Time: the only file of parkflow that reads a system clock; everything below the edge is given `now`.

Two kinds of time exist. *Business time* (`now`) decides fees, deadlines and days; a simulation may run it faster than
life. *Wall time* (`wall`, `monotonic_ns`) decides what depends on real machines: leases, time-outs of sockets,
durations shown to people.
"""

import mmap
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from parkflow.kit.errors import ParkflowError

CLOCK_VARIABLE = "PARKFLOW_CLOCK"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORD_BYTES = 8


class ClockUnavailable(ParkflowError):
    """The clock named by PARKFLOW_CLOCK cannot be read."""

    code = "clock_unavailable"
    status = 503


class Clock(Protocol):
    """A source of time that the edge (request handler, job, command) reads once and passes down."""

    def now(self) -> datetime:
        """Business time, aware, UTC."""

    def wall(self) -> datetime:
        """Real time, aware, UTC; never simulated."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of a real clock that never goes back; only differences mean something."""


class SystemClock:
    """Business time is real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class FileClock:
    """Virtual business time, shared by any number of processes through one mapped file.

    The file holds 8 bytes: the instant as a little-endian signed count of microseconds since the Unix epoch.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), _WORD_BYTES, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ClockUnavailable(
                f"clock file {path}: {error}; it must hold 8 bytes, microseconds since 1970"
            ) from error

    def now(self) -> datetime:
        # A copy of eight aligned bytes is one load on the machines we know; reading until two agree holds on any.
        word = self._map[:_WORD_BYTES]
        while word != (again := self._map[:_WORD_BYTES]):
            word = again
        return _EPOCH + timedelta(microseconds=int.from_bytes(word, "little", signed=True))

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class FileClockHand:
    """The one writer of a clock file: creates it and moves it forward."""

    def __init__(self, path: Path, start: datetime) -> None:
        path.write_bytes(_word(start))
        self._at = start
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _WORD_BYTES)

    @property
    def at(self) -> datetime:
        """Where the clock stands."""
        return self._at

    def move_to(self, instant: datetime) -> None:
        """Set the clock to `instant`, which may not lie before where it stands."""
        assert instant >= self._at, f"a clock does not go back: {instant} is before {self._at}"
        self._map[:_WORD_BYTES] = _word(instant)
        self._at = instant


def clock_from_environment(environ: Mapping[str, str] = os.environ) -> Clock:
    """The clock that `PARKFLOW_CLOCK` names: `file:/path` is a FileClock, unset or `system` the real one.

    Raises ClockUnavailable for another value or an unreadable file.
    """
    name = environ.get(CLOCK_VARIABLE, "system")
    if name in ("", "system"):
        return SystemClock()
    if name.startswith("file:"):
        return FileClock(Path(name.removeprefix("file:")))
    raise ClockUnavailable(f"{CLOCK_VARIABLE} is {name!r}; it must be `system` or `file:/path`")


def _word(instant: datetime) -> bytes:
    microseconds = (instant - _EPOCH) // timedelta(microseconds=1)
    return microseconds.to_bytes(_WORD_BYTES, "little", signed=True)
