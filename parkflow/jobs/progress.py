"""How far each worker has come in business time: a figure for people, and what day ends and simulations wait for."""

from datetime import datetime, timedelta
from typing import Final

from parkflow.db.conn import Conn
from parkflow.db.sql import load

SQL = load(__file__, "progress.sql")
# Long enough to see on a chart that a worker died, short enough that restarts do not pile up rows.
_FORGET_AFTER: Final = timedelta(hours=1)


async def record(conn: Conn, *, owner: str, caught_up_to: datetime, wall: datetime) -> None:
    """Say that everything that was due at the business instant `caught_up_to` is done for the owner's buckets."""
    await conn.execute(SQL.record_progress, owner, caught_up_to, wall)


async def forget(conn: Conn, *, owner: str, wall: datetime) -> None:
    """Remove the row of a worker that ends, and those of workers that died long ago."""
    await conn.execute(SQL.forget_progress, owner, wall - _FORGET_AFTER)


async def others_reached(conn: Conn, *, owner: str, instant: datetime, wall: datetime) -> bool:
    """Whether every other worker that holds a bucket has done all that was due at the business instant."""
    if not await conn.fetchval(SQL.others_work, wall, owner):
        return True
    least = await conn.fetchval(SQL.least_progress, wall, owner)
    return least is not None and bool(least >= instant)


async def reached(conn: Conn, *, wall: datetime) -> datetime | None:
    """The business instant up to which all workers have done all that was due; None when nobody works."""
    least: datetime | None = await conn.fetchval(SQL.least_progress, wall, "")
    return least
