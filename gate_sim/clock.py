"""The virtual clock that every process of a simulation shares: a mapped file, written by one, read by all.

The file holds 8 bytes: the instant as a little-endian signed count of microseconds since the Unix epoch. The service
reads it when `PARKFLOW_CLOCK=file:/path`.
"""

import fcntl
import mmap
from datetime import UTC, datetime, timedelta
from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORD_BYTES = 8


class VirtualClock:
    """The hand of a clock file. Whoever creates it moves it; `attach` only looks, or advances it."""

    def __init__(self, path: Path, start: datetime | None = None) -> None:
        if start is not None:
            path.write_bytes(_word(start))
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _WORD_BYTES)

    @classmethod
    def attach(cls, name: str) -> "VirtualClock":
        """The clock that `file:/path` names, as `--clock` and PARKFLOW_CLOCK write it."""
        return cls(Path(name.removeprefix("file:")))

    def now(self) -> datetime:
        """Where the clock stands, aware, UTC."""
        # One aligned copy of eight bytes is one load on the machines we know; reading until two agree holds on any.
        word = self._map[:_WORD_BYTES]
        while word != (again := self._map[:_WORD_BYTES]):
            word = again
        return _EPOCH + timedelta(microseconds=int.from_bytes(word, "little", signed=True))

    def advance(self, time: timedelta) -> None:
        """Move on by so much, however many hands move this clock."""
        with self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.move_to(self.now() + time)

    def move_to(self, instant: datetime) -> None:
        """Set the clock to `instant`, which may not lie before where it stands. For a clock with one hand."""
        assert instant >= self.now(), f"a clock does not go back: {instant} is before {self.now()}"
        self._map[:_WORD_BYTES] = _word(instant)


def _word(instant: datetime) -> bytes:
    return ((instant - _EPOCH) // timedelta(microseconds=1)).to_bytes(_WORD_BYTES, "little", signed=True)
