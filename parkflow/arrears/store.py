"""Rows of arrears: the only writer of table `arrears`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of

SQL = load(__file__)


class NewArrears(NamedTuple):
    bucket: int
    charge_id: int
    card_id: int
    amount_minor: int


class PaidArrears(NamedTuple):
    bucket: int
    charge_id: int
    card_id: int


@dataclass(frozen=True, slots=True)
class OpenArrears:
    """One charge that is in arrears; amount in minor units of `currency`."""

    charge_id: int
    card_id: int
    operator_id: int
    business_day: date
    amount_minor: int
    currency: str
    lot_id: int | None
    due_at: datetime


async def insert(
    conn: Conn, rows: Sequence[NewArrears], *, operator_id: int, day: date, now: datetime
) -> list[NewArrears]:
    """Write the rows; the ones that were not there before come back."""
    done = await conn.fetch(
        SQL.insert_arrears,
        [row.bucket for row in rows],
        [row.charge_id for row in rows],
        [row.card_id for row in rows],
        [row.amount_minor for row in rows],
        operator_id,
        day,
        now,
    )
    return [NewArrears(*row.values()) for row in done]


async def paid(conn: Conn, buckets: Sequence[int], *, limit: int) -> list[PaidArrears]:
    """Open rows whose charge was paid or waived."""
    return [PaidArrears(*row.values()) for row in await conn.fetch(SQL.paid_arrears, list(buckets), limit)]


async def clear(conn: Conn, rows: Sequence[PaidArrears], *, now: datetime) -> list[int]:
    """Mark the rows cleared; the cards of the ones that were open come back, once each, in order."""
    done = await conn.fetch(SQL.clear_arrears, [row.bucket for row in rows], [row.charge_id for row in rows], now)
    return sorted({row["card_id"] for row in done})


async def without_open(conn: Conn, card_ids: Sequence[int]) -> list[int]:
    """Of these cards, those without open arrears."""
    done = await conn.fetch(SQL.cards_clear, [bucket_of(card_id) for card_id in card_ids], list(card_ids))
    return sorted(row["card_id"] for row in done)


async def open_of_account(conn: Conn, *, bucket: int, account_id: int, card_id: int | None) -> list[OpenArrears]:
    """What one driver owes, oldest first; on one card or on all."""
    rows = await conn.fetch(SQL.open_of_account, bucket, account_id, card_id)
    return [OpenArrears(**dict(row.items())) for row in rows]
