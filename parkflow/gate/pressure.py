"""Pressure: what takes uploads in tells what applies them that live scans wait in number.

It is a hint, not a lock: a word that is lost or late costs some speed and nothing else.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.errors import ParkflowError
from parkflow.services import Services

_SQL = load(__file__)
# How long a word holds, and how soon it is said again while the line is long.
HOLDS: Final = timedelta(seconds=3)
_AGAIN_NS: Final = 1_000_000_000
_log = logging.getLogger("parkflow.gate")


async def is_pressed(conn: Conn, *, wall: datetime) -> bool:
    """Whether live scans wait in number at this moment (real time)."""
    return bool(await conn.fetchval(_SQL.is_pressed, wall))


async def press(conn: Conn, *, until: datetime) -> None:
    """Live scans wait in number, and may do so until then (real time)."""
    await conn.execute(_SQL.press, until)


class Pressure:
    """The word of one process; scans_min: from how many live scans in its line on."""

    def __init__(self, services: Services, *, scans_min: int) -> None:
        self._services = services
        self._scans_min = scans_min
        self._again_ns = 0
        self._telling: asyncio.Task[None] | None = None

    def note(self, live_scans: int) -> None:
        """So many live scans wait now. Nobody waits for what follows from it."""
        now_ns = self._services.clock.monotonic_ns()
        if live_scans < self._scans_min or now_ns < self._again_ns:
            return
        self._again_ns = now_ns + _AGAIN_NS
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def aclose(self) -> None:
        """When the last word is said."""
        if self._telling is not None:
            await self._telling

    async def _tell(self) -> None:
        try:
            async with self._services.pool.acquire() as conn:
                await press(conn, until=self._services.clock.wall() + HOLDS)
        except (ParkflowError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            _log.warning("the workers were not told that many scans wait: %s", error)
