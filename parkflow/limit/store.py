"""Limits counted in Postgres, for where there is no Valkey."""

import hashlib
from datetime import datetime, timedelta

from parkflow.db.conn import Pool
from parkflow.db.sql import load
from parkflow.kit.ids import derived_bucket

SQL = load(__file__)


class PostgresLimits:
    """One row per key with the instants of its uses; the row's lock makes counting exact.

    It takes its own connection: a use counts also when the caller's transaction is rolled back.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self, key: str, *, limit: int, window: timedelta, now: datetime) -> bool:
        digest = hashlib.sha256(key.encode()).digest()
        async with self._pool.acquire() as conn:
            taken = await conn.fetchval(
                SQL.take, derived_bucket(digest), digest, now, now - window, now + window, limit
            )
        return taken is not None

    async def sweep(self, now: datetime) -> None:
        async with self._pool.acquire() as conn:
            await conn.execute(SQL.sweep, now)

    async def aclose(self) -> None:
        """The pool belongs to the caller."""
