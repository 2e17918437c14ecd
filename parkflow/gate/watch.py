"""Waiting for the next bundle: gates whose request stays open get it as soon as it is there."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from parkflow.db.conn import Pool
from parkflow.gate import bundle
from parkflow.kit.errors import ParkflowError

# One small query a second for all waiting gates of a process together, whoever built the bundle and wherever.
LOOK_SECONDS: Final = 1
WAITERS_MAX: Final = 10_000
_LOG = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Waiter:
    operator_id: int
    version: int
    newer: asyncio.Event = field(default_factory=asyncio.Event)


class BundleWatch:
    """Who waits for which operator's next bundle, in one process. It looks only while somebody waits."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiters: set[_Waiter] = set()
        self._looking: asyncio.Task[None] | None = None

    async def wait_newer(self, *, operator_id: int, version: int, seconds: int) -> bool:
        """Whether a bundle above `version` came within so many seconds; at once False when too many wait already."""
        if len(self._waiters) >= WAITERS_MAX:
            return False
        waiter = _Waiter(operator_id, version)
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())
        try:
            async with asyncio.timeout(seconds):
                await waiter.newer.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    async def aclose(self) -> None:
        """Stop looking; who still waits is answered when their time is over."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look_on(self) -> None:
        while self._waiters:
            try:
                await self._look()
            except (ParkflowError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # Who waits goes on waiting: the database is back within seconds, or their time is over.
                _LOG.warning("no look for new bundles: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        operators = sorted({waiter.operator_id for waiter in self._waiters})
        async with self._pool.acquire() as conn:
            versions = await bundle.newest_versions(conn, operators)
        for waiter in self._waiters:
            if versions.get(waiter.operator_id, 0) > waiter.version:
                waiter.newer.set()
