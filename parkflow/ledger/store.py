"""Business days and transfers in the database."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from parkflow.db.conn import Conn, Row, affected
from parkflow.db.sql import load

SQL = load(__file__)


async def read_calendar(conn: Conn, operator_id: int) -> Row | None:
    return await conn.fetchrow(SQL.read_calendar, operator_id)


async def insert_first_day(conn: Conn, operator_id: int, day: date, now: datetime) -> None:
    await conn.execute(SQL.insert_first_day, operator_id, day, now)


async def hold_open_days(conn: Conn, operator_ids: Sequence[int]) -> dict[int, date]:
    rows = await conn.fetch(SQL.hold_open_days, list(operator_ids))
    return {row["operator_id"]: row["day"] for row in rows}


async def insert_transfers(conn: Conn, columns: Mapping[str, Sequence[Any]], now: datetime) -> int:
    return affected(await conn.execute(SQL.insert_transfers, *(list(column) for column in columns.values()), now))


async def lock_day(conn: Conn, operator_id: int, day: date) -> Row | None:
    return await conn.fetchrow(SQL.lock_day, operator_id, day)


async def open_next_day(conn: Conn, operator_id: int, day: date, now: datetime) -> None:
    await conn.execute(SQL.open_next_day, operator_id, day, now)


async def read_open_day(conn: Conn, operator_id: int) -> date | None:
    day: date | None = await conn.fetchval(SQL.read_open_day, operator_id)
    return day
