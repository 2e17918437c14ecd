"""What a cut-off reads: the days that run, and one day's totals over ledger, charges and arrears. It owns no table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple

from parkflow.cutoff.rules import BucketDigest, CodeTotal, LotTotal
from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.ids import to_text

SQL = load(__file__)
LOT_ID_PREFIX = "lot"


class RunningDay(NamedTuple):
    """The day that an operator is in."""

    operator_id: int
    day: date
    time_zone: str
    day_turn: time


@dataclass(frozen=True, slots=True)
class DayRow:
    """One business day; totals and hash once it is closed."""

    operator_id: int
    day: date
    state: str
    totals: Mapping[str, object] | None
    sha256: bytes | None
    opened_at: datetime
    closed_at: datetime | None
    time_zone: str
    day_turn: time
    currency: str


async def running_days(conn: Conn) -> list[RunningDay]:
    return [RunningDay(*row.values()) for row in await conn.fetch(SQL.running_days)]


async def day(conn: Conn, *, operator_id: int, day: date) -> DayRow | None:
    row = await conn.fetchrow(SQL.day_of_operator, operator_id, day)
    return None if row is None else DayRow(**dict(row.items()))


async def closed_days(conn: Conn) -> list[DayRow]:
    return [DayRow(**dict(row.items())) for row in await conn.fetch(SQL.closed_days)]


async def totals_by_code(conn: Conn, *, operator_id: int, day: date) -> list[CodeTotal]:
    return [CodeTotal(*row.values()) for row in await conn.fetch(SQL.totals_by_code, operator_id, day)]


async def totals_by_lot(conn: Conn, *, operator_id: int, day: date) -> list[LotTotal]:
    rows = await conn.fetch(SQL.totals_by_lot, operator_id, day)
    return [LotTotal(to_text(LOT_ID_PREFIX, row["lot_id"]), *list(row.values())[1:]) for row in rows]


async def digests(conn: Conn, *, operator_id: int, day: date) -> list[BucketDigest]:
    return [BucketDigest(*row.values()) for row in await conn.fetch(SQL.digests_by_bucket, operator_id, day)]
