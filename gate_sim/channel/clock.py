"""The channel's own reading of time: the system clock, or a virtual one shared through a file."""

import mmap
import time
from pathlib import Path
from typing import Final, Protocol

_WORD_BYTES: Final = 8


class ChannelClock(Protocol):
    """Business time of the channel, in milliseconds since the Unix epoch."""

    virtual: bool

    def now_ms(self) -> int: ...


class SystemTime:
    """The channel lives in real time."""

    virtual = False

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class FileTime:
    """The channel lives in the virtual time of a file: 8 bytes, little-endian microseconds since the Unix epoch."""

    virtual = True

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), _WORD_BYTES, access=mmap.ACCESS_READ)

    def now_ms(self) -> int:
        return int.from_bytes(self._map[:_WORD_BYTES], "little", signed=True) // 1000


class SetTime:
    """A clock that stands where it was set; for tests."""

    virtual = True

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms


def clock_named(name: str) -> ChannelClock:
    """`system`, or `file:/path`. Raises ValueError or OSError."""
    if name == "system":
        return SystemTime()
    if name.startswith("file:"):
        return FileTime(Path(name.removeprefix("file:")))
    raise ValueError(f"the clock is {name!r}; it must be `system` or `file:/path`")
