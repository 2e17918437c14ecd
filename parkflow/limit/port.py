"""What callers know of limits, whichever store counts."""

from datetime import datetime, timedelta
from typing import Protocol

from parkflow.kit.errors import ParkflowError


class LimitsUnavailable(ParkflowError):
    """Limits cannot be counted just now, so nothing that needs one is let through; try again in a moment."""

    code = "limits_unavailable"
    status = 503


class Limits(Protocol):
    """Counts uses of keys in a sliding window of business time."""

    async def take(self, key: str, *, limit: int, window: timedelta, now: datetime) -> bool:
        """Count one use of `key` at `now`; False, and nothing counted, when `limit` uses lie within `window` before it.

        With `limit=1` it answers whether `key` is new, which is how a nonce is used once.
        Raises LimitsUnavailable when the store does not answer: a limit that cannot be counted is closed.
        """

    async def sweep(self, now: datetime) -> None:
        """Forget what no window reaches any more."""

    async def aclose(self) -> None:
        """Let go of connections."""
