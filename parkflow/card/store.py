"""The rows of cards and of the reasons that freeze them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from parkflow.card.state import CardState, FreezeReason
from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of

_SQL = load(__file__)


class Enrolment(NamedTuple):
    """At which operator a card is, and for which class of vehicle."""

    operator_id: int
    vehicle_class: str


@dataclass(frozen=True, slots=True)
class Card:
    """One driver's right to use codes at an operator; `deposit_minor` is in the operator's currency."""

    card_id: int
    account_id: int
    operator_id: int
    agreement_id: int
    vehicle_class: str
    state: CardState
    deposit_minor: int
    last_serial: int
    created_at: datetime

    @property
    def bucket(self) -> int:
        return bucket_of(self.card_id)


class StateChange(NamedTuple):
    """From when on a card was in another state."""

    at: datetime
    before: CardState
    after: CardState


async def insert(conn: Conn, card: Card) -> bool:
    """False when the driver has a card in use at the operator."""
    inserted = await conn.fetchval(
        _SQL.insert,
        card.bucket,
        card.card_id,
        card.account_id,
        card.operator_id,
        card.agreement_id,
        card.vehicle_class,
        card.state,
        card.deposit_minor,
        card.created_at,
    )
    return inserted is not None


async def in_use(conn: Conn, *, account_id: int, operator_id: int) -> Card | None:
    row = await conn.fetchrow(_SQL.in_use, bucket_of(account_id), account_id, operator_id)
    return _card(row) if row else None


async def one(conn: Conn, card_id: int) -> Card | None:
    row = await conn.fetchrow(_SQL.one, bucket_of(card_id), card_id)
    return _card(row) if row else None


async def lock_one(conn: Conn, bucket: int, card_id: int) -> Card | None:
    row = await conn.fetchrow(_SQL.lock_one, bucket, card_id)
    return _card(row) if row else None


async def lock_in_bucket(conn: Conn, bucket: int, card_ids: Sequence[int]) -> list[int]:
    """Lock the cards that exist and return them."""
    return [row["card_id"] for row in await conn.fetch(_SQL.lock_in_bucket, bucket, card_ids)]


async def many(conn: Conn, card_ids: Sequence[int]) -> list[Card]:
    rows = await conn.fetch(_SQL.many, [bucket_of(ident) for ident in card_ids], card_ids)
    return [_card(row) for row in rows]


async def enrolments(conn: Conn, card_ids: Sequence[int]) -> dict[int, Enrolment]:
    rows = await conn.fetch(_SQL.enrolments, [bucket_of(ident) for ident in card_ids], card_ids)
    return {row[0]: Enrolment(row[1], row[2]) for row in rows}


async def of_account(conn: Conn, account_id: int) -> list[Card]:
    return [_card(row) for row in await conn.fetch(_SQL.of_account, bucket_of(account_id), account_id)]


async def of_accounts(conn: Conn, account_ids: Sequence[int], *, operator_ids: Sequence[int]) -> list[Card]:
    buckets = [bucket_of(ident) for ident in account_ids]
    return [_card(row) for row in await conn.fetch(_SQL.of_accounts, buckets, account_ids, operator_ids)]


async def state_changes(conn: Conn, card_ids: Sequence[int]) -> dict[int, list[StateChange]]:
    """What happened to the states of cards, each card's in order of time."""
    found: dict[int, list[StateChange]] = {}
    for row in await conn.fetch(_SQL.state_changes, [bucket_of(ident) for ident in card_ids], card_ids):
        change = StateChange(row["at"], CardState(row["from_state"]), CardState(row["to_state"]))
        found.setdefault(row["card_id"], []).append(change)
    return found


async def count_with_agreement(conn: Conn, *, account_id: int, agreement_id: int) -> int:
    count: int = await conn.fetchval(_SQL.count_with_agreement, bucket_of(account_id), account_id, agreement_id)
    return count


async def take_serial(conn: Conn, card_id: int) -> int:
    serial: int = await conn.fetchval(_SQL.take_serial, bucket_of(card_id), card_id)
    return serial


async def add_reason(conn: Conn, bucket: int, card_ids: Sequence[int], *, reason: FreezeReason, now: datetime) -> None:
    await conn.execute(_SQL.add_reason, bucket, card_ids, reason, now)


async def lift_reason(conn: Conn, bucket: int, card_ids: Sequence[int], *, reason: FreezeReason) -> None:
    await conn.execute(_SQL.lift_reason, bucket, card_ids, reason)


async def reasons(conn: Conn, card_ids: Sequence[int]) -> dict[int, list[FreezeReason]]:
    """The reasons of each card that has any."""
    buckets = sorted({bucket_of(ident) for ident in card_ids})
    found: dict[int, list[FreezeReason]] = {}
    for row in await conn.fetch(_SQL.reasons, buckets, card_ids):
        found.setdefault(row["card_id"], []).append(FreezeReason(row["reason"]))
    return found


def _card(row: Row) -> Card:
    return Card(
        card_id=row["card_id"],
        account_id=row["account_id"],
        operator_id=row["operator_id"],
        agreement_id=row["agreement_id"],
        vehicle_class=row["vehicle_class"],
        state=CardState(row["state"]),
        deposit_minor=row["deposit_minor"],
        last_serial=row["last_serial"],
        created_at=row["created_at"],
    )
