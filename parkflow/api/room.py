"""Room for request bodies in memory: bounded for the process, and shared so that no owner has all of it."""

from collections import Counter
from typing import Final

from parkflow.kit.errors import ParkflowError

# An owner may hold three times what is free (dynamic thresholds, Choudhury and Hahne 1998): alone it gets three
# quarters, of many that want all each gets less, and there is always some left for one that comes new.
_SHARE_OF_FREE: Final = 3


class ServiceBusy(ParkflowError):
    """Too many requests are being read at once; try again in a moment."""

    code = "service_busy"
    status = 503


class Room:
    """So many bytes; whoever takes some gives them back."""

    def __init__(self, bytes_max: int) -> None:
        self._free = bytes_max
        self._held: Counter[int] = Counter()

    def take(self, owner: int, count: int) -> None:
        """Take `count` bytes for `owner`. Raises ServiceBusy, and nothing is taken."""
        left = self._free - count
        if left < 0 or self._held[owner] + count > _SHARE_OF_FREE * left:
            raise ServiceBusy
        self._free = left
        self._held[owner] += count

    def give(self, owner: int, count: int) -> None:
        """Give back what was taken."""
        self._free += count
        self._held[owner] -= count
        if not self._held[owner]:
            del self._held[owner]
