"""Refunds in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of
from parkflow.refund.state import REFUND, RefundEvent

SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class NewRefund:
    """Money that is to go back to where an order took it from."""

    refund_no: str
    charge_id: int
    order_no: str
    channel: str
    reason: str  # deposit_return | surplus | correction
    amount_minor: int
    total_minor: int
    currency: str
    operator_id: int
    card_id: int


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund on record."""

    bucket: int
    refund_no: str
    charge_id: int
    order_no: str
    channel: str
    reason: str
    amount_minor: int
    currency: str
    operator_id: int
    card_id: int
    state: str
    try_count: int


async def insert_refunds(conn: Conn, refunds: Sequence[NewRefund], now: datetime) -> set[str]:
    """The numbers of those that are new."""
    rows = await conn.fetch(
        SQL.insert_refunds,
        [bucket_of(refund.charge_id) for refund in refunds],
        [refund.refund_no for refund in refunds],
        [refund.charge_id for refund in refunds],
        [refund.order_no for refund in refunds],
        [refund.channel for refund in refunds],
        [refund.reason for refund in refunds],
        [refund.amount_minor for refund in refunds],
        [refund.total_minor for refund in refunds],
        [refund.currency for refund in refunds],
        [refund.operator_id for refund in refunds],
        [refund.card_id for refund in refunds],
        now,
    )
    return {row["refund_no"] for row in rows}


async def due_refunds(conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime, limit: int) -> list[Refund]:
    return [Refund(**row) for row in await conn.fetch(SQL.due_refunds, owner, list(buckets), now, limit)]


async def send_refunds(conn: Conn, refunds: Sequence[Refund], *, now: datetime, look_again_at: datetime) -> set[str]:
    rows = await conn.fetch(SQL.send_refunds, *_keys(refunds), now, look_again_at)
    return {row["refund_no"] for row in rows}


async def read_refunds(conn: Conn, keys: Sequence[tuple[int, str]]) -> list[Refund]:
    """By (bucket, refund number)."""
    rows = await conn.fetch(SQL.read_refunds, [bucket for bucket, _ in keys], [number for _, number in keys])
    return [Refund(**row) for row in rows]


async def succeed_refunds(
    conn: Conn, refunds: Sequence[Refund], *, facts: Sequence[tuple[Any, ...]], now: datetime
) -> set[str]:
    """`facts` are the instant and the raw code of each."""
    columns = [[fact[place] for fact in facts] for place in range(2)]
    sources = list(REFUND.sources(RefundEvent.SUCCEED))
    rows = await conn.fetch(SQL.succeed_refunds, *_keys(refunds), *columns, sources, now)
    return {row["refund_no"] for row in rows}


async def leave_refunds(
    conn: Conn, refunds: Sequence[Refund], *, facts: Sequence[tuple[Any, ...]], now: datetime
) -> set[str]:
    """`facts` are the new state (None keeps it), the raw code and when to try again, of each."""
    columns = [[fact[place] for fact in facts] for place in range(3)]
    sources = list(REFUND.sources(RefundEvent.LOSE_SIGHT))
    rows = await conn.fetch(SQL.leave_refunds, *_keys(refunds), *columns, sources, now)
    return {row["refund_no"] for row in rows}


async def count_corrections(conn: Conn, charge_id: int) -> tuple[int, int]:
    """How many corrections a charge has had, and their sum without the declined ones."""
    row = await conn.fetchrow(SQL.count_corrections, bucket_of(charge_id), charge_id)
    assert row is not None, "a count has a row"
    return row["count"], row["amount_minor"]


def _keys(refunds: Sequence[Refund]) -> tuple[list[int], list[str]]:
    return [refund.bucket for refund in refunds], [refund.refund_no for refund in refunds]
