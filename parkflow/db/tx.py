"""Transactions: opened at the edge, committed before the answer is built, retried when the database says so."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import asyncpg

from parkflow.db.conn import Conn, Pool
from parkflow.kit.errors import DatabaseUnavailable

T = TypeVar("T")

ATTEMPTS_MAX: Final = 6
_PAUSE_MILLISECONDS_FIRST: Final = 10

# What may be tried again, because every step of parkflow is idempotent:
# 40001 serialization failure, 40P01 deadlock, 55P03 lock not available, 57014 cancelled by a time-out,
# 08xxx connection lost (a commit may or may not have happened), 57P01/57P03 the server is stopping or starting,
# XX000 at commit: Citus reports a serialization failure of a shard so.
RETRY_SQLSTATES: Final = frozenset({"40001", "40P01", "55P03", "57014", "08003", "08006", "57P01", "57P03"})
_COMMIT_SQLSTATES: Final = RETRY_SQLSTATES | {"XX000"}


class DatabaseBusy(DatabaseUnavailable):
    """The database refused the same work several times; it is safe to try again later."""

    code = "database_busy"


@asynccontextmanager
async def tx(pool: Pool) -> AsyncIterator[Conn]:
    """One READ COMMITTED transaction: commits when the block ends, rolls back when it raises."""
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            yield conn
        except BaseException:
            # A connection that was lost has nothing left to roll back, and its error must not hide the first one.
            if conn.is_in_transaction():
                await transaction.rollback()
            raise
        try:
            await transaction.commit()
        except asyncpg.PostgresError as error:
            if error.sqlstate in _COMMIT_SQLSTATES:
                raise CommitFailed(error.sqlstate) from error
            raise


class CommitFailed(DatabaseUnavailable):
    """The database could not commit; the work may be tried again."""

    code = "commit_failed"

    def __init__(self, sqlstate: str) -> None:
        super().__init__(f"the database could not commit ({sqlstate}); the work may be tried again")


async def in_tx(pool: Pool, work: Callable[[Conn], Awaitable[T]]) -> T:
    """Run `work` in a transaction, and again in a new one (at most ATTEMPTS_MAX in all) while the error is retryable.

    `work` must be idempotent and free of effects outside the transaction. Raises DatabaseBusy when it never succeeds.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            async with tx(pool) as conn:
                return await work(conn)
        except Exception as error:
            if not is_retryable(error):
                raise
            last = error
        await asyncio.sleep(_pause_milliseconds(attempt) / 1000)
    raise DatabaseBusy from last


def is_retryable(error: BaseException) -> bool:
    """Whether the same idempotent work may succeed when simply done again."""
    if isinstance(error, CommitFailed | ConnectionError):
        return True
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in RETRY_SQLSTATES


def _pause_milliseconds(attempt: int) -> int:
    # Random, so that two transactions that met once do not meet again.
    longest = _PAUSE_MILLISECONDS_FIRST << attempt
    return longest // 2 + secrets.randbelow(longest)
