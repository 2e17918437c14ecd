"""The rows of the outbox; recipient and body are sealed in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class SealedNotice:
    """A notice as it is stored."""

    bucket: int
    notice_id: int
    kind: str
    recipient_sealed: bytes
    body_sealed: bytes
    created_at: datetime


async def insert(conn: Conn, notices: Sequence[SealedNotice], *, kind: str, now: datetime) -> None:
    """All of one kind."""
    await conn.execute(
        _SQL.insert,
        [notice.bucket for notice in notices],
        [notice.notice_id for notice in notices],
        kind,
        [notice.recipient_sealed for notice in notices],
        [notice.body_sealed for notice in notices],
        now,
    )


async def unsent(conn: Conn, buckets: Sequence[int], *, limit: int) -> list[SealedNotice]:
    return [_notice(row) for row in await conn.fetch(_SQL.unsent, buckets, limit)]


async def mark_sent(conn: Conn, notices: Sequence[SealedNotice], *, now: datetime) -> None:
    await conn.execute(
        _SQL.mark_sent, [notice.bucket for notice in notices], [notice.notice_id for notice in notices], now
    )


async def of_kind(conn: Conn, bucket: int, kind: str, *, limit: int) -> list[SealedNotice]:
    return [_notice(row) for row in await conn.fetch(_SQL.of_kind, bucket, kind, limit)]


def _notice(row: Row) -> SealedNotice:
    return SealedNotice(
        bucket=row["bucket"],
        notice_id=row["notice_id"],
        kind=row["kind"],
        recipient_sealed=row["recipient_sealed"],
        body_sealed=row["body_sealed"],
        created_at=row["created_at"],
    )
