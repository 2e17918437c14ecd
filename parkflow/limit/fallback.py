"""Limits that go on in Postgres while Valkey is away, so that no gate's upload waits for a cache."""

import logging
from datetime import datetime, timedelta
from typing import Final

from parkflow.kit.clock import Clock
from parkflow.limit.port import Limits, LimitsUnavailable

# How long Valkey is left alone after it did not answer: each try may cost a time-out.
AWAY_SECONDS: Final = 10
_NS: Final = 1_000_000_000
_log = logging.getLogger("parkflow.limit")


class FallbackLimits:
    """Counts in `first`; while that does not answer, in `second`.

    A window may then be used once in each, never more: nothing is let through uncounted.
    """

    def __init__(self, first: Limits, second: Limits, clock: Clock) -> None:
        self._first = first
        self._second = second
        self._clock = clock
        self._away_until_ns = clock.monotonic_ns()

    async def take(self, key: str, *, limit: int, window: timedelta, now: datetime) -> bool:
        if self._clock.monotonic_ns() >= self._away_until_ns:
            try:
                return await self._first.take(key, limit=limit, window=window, now=now)
            except LimitsUnavailable:
                self._away_until_ns = self._clock.monotonic_ns() + AWAY_SECONDS * _NS
                _log.warning("Valkey does not answer; limits are counted in Postgres for %d s", AWAY_SECONDS)
        return await self._second.take(key, limit=limit, window=window, now=now)

    async def sweep(self, now: datetime) -> None:
        await self._first.sweep(now)
        await self._second.sweep(now)

    async def aclose(self) -> None:
        await self._first.aclose()
        await self._second.aclose()
