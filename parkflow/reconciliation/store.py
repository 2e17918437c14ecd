"""Rows of reconciliation: the only writer of `reconciliation_run` and `reconciliation_break`."""

from collections.abc import Sequence
from datetime import date, datetime

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.reconciliation.rules import Break, Line, LineKey, Matching

SQL = load(__file__)


async def lines_by_number(conn: Conn, channel: str, keys: Sequence[tuple[LineKey, int]]) -> list[Line]:
    """Our lines under these numbers, each given with its bucket."""
    rows = await conn.fetch(
        SQL.lines_by_number,
        channel,
        [key.kind for key, _ in keys],
        [bucket for _, bucket in keys],
        [key.number for key, _ in keys],
    )
    return [_line(row) for row in rows]


async def lines_of_day(conn: Conn, channel: str, *, start: datetime, end: datetime) -> list[Line]:
    """Our lines that succeeded from `start` to before `end`, in the channel's own time stamps."""
    return [_line(row) for row in await conn.fetch(SQL.lines_of_day, channel, start, end)]


async def bill_time_zone(conn: Conn, channel: str) -> str | None:
    zone: str | None = await conn.fetchval(SQL.bill_time_zone, channel)
    return zone


async def write_run(
    conn: Conn, *, channel: str, day: date, bill_sha256: bytes, matching: Matching, now: datetime
) -> None:
    """Keep the comparison and its breaks; earlier breaks that are gone are marked resolved."""
    await conn.execute(
        SQL.upsert_run,
        channel,
        day,
        bill_sha256,
        matching.matched,
        len(matching.breaks),
        matching.ours_minor,
        matching.theirs_minor,
        now,
    )
    kinds = [found.key.kind for found in matching.breaks]
    numbers = [found.key.number for found in matching.breaks]
    await conn.execute(SQL.resolve_breaks, channel, day, kinds, numbers, now)
    await write_breaks(conn, channel=channel, day=day, breaks=matching.breaks, resolved_at=None)


async def write_breaks(
    conn: Conn, *, channel: str, day: date, breaks: Sequence[Break], resolved_at: datetime | None
) -> None:
    await conn.execute(
        SQL.upsert_breaks,
        channel,
        day,
        [found.key.kind for found in breaks],
        [found.key.number for found in breaks],
        [found.break_class.value for found in breaks],
        [found.ours_minor for found in breaks],
        [found.theirs_minor for found in breaks],
        resolved_at,
    )


def _line(row: Row) -> Line:
    return Line(LineKey(row["kind"], row["number"]), row["amount_minor"], row["currency"], row["state"])
