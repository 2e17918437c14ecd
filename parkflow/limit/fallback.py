"""Limits that go on in Postgres while Valkey is away, so that no gate's upload waits for a cache."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

from parkflow.limit.port import Limits, LimitsUnavailable

# How long Valkey is left alone after it did not answer: each try may cost a time-out.
AWAY_SECONDS: Final = 10
_log = logging.getLogger("parkflow.limit")


class FallbackLimits:
    """Counts in `first`; while that does not answer, in `second`.

    A window may then be used once in each, never more: nothing is let through uncounted.
    """

    def __init__(self, first: Limits, second: Limits) -> None:
        self._first = first
        self._second = second
        self._away_until_seconds = 0.0

    async def take(self, key: str, *, limit: int, window: timedelta, now: datetime) -> bool:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._away_until_seconds:
            try:
                return await self._first.take(key, limit=limit, window=window, now=now)
            except LimitsUnavailable:
                self._away_until_seconds = loop.time() + AWAY_SECONDS
                _log.warning("Valkey does not answer; limits are counted in Postgres for %d s", AWAY_SECONDS)
        return await self._second.take(key, limit=limit, window=window, now=now)

    async def sweep(self, now: datetime) -> None:
        await self._first.sweep(now)
        await self._second.sweep(now)

    async def aclose(self) -> None:
        await self._first.aclose()
        await self._second.aclose()
