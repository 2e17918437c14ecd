"""Rows of card returns: the only writer of tables `card_return` and `return_exception`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parkflow.card_return.rules import CardFacts
from parkflow.card_return.state import ReturnState
from parkflow.db.conn import Conn
from parkflow.db.sql import load

SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class CardReturn:
    """One return as people see it."""

    return_id: int
    card_id: int
    operator_id: int
    state: ReturnState
    blocked_reason: str | None
    requested_at: datetime
    release_after: datetime
    decided_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Undecided:
    """An open return and what is known of its card at this moment."""

    bucket: int
    return_id: int
    card_id: int
    operator_id: int
    state: ReturnState
    blocked_reason: str | None
    release_after: datetime
    facts: CardFacts


@dataclass(frozen=True, slots=True)
class Releasing:
    """A return whose refund was asked for.

    refund_state: what became of the refund. agreement_to_end: the card's agreement, if no other card uses it.
    """

    bucket: int
    return_id: int
    card_id: int
    account_id: int
    operator_id: int
    refund_state: str | None
    amount_minor: int | None
    currency: str | None
    agreement_to_end: int | None


@dataclass(frozen=True, slots=True)
class NewReturn:
    bucket: int
    return_id: int
    card_id: int
    account_id: int
    operator_id: int
    requested_at: datetime
    release_after: datetime


async def insert(conn: Conn, new: NewReturn) -> None:
    await conn.execute(
        SQL.insert_return,
        new.bucket,
        new.return_id,
        new.card_id,
        new.account_id,
        new.operator_id,
        new.requested_at,
        new.release_after,
    )


async def latest(conn: Conn, *, bucket: int, account_id: int, card_id: int) -> CardReturn | None:
    """The open return of a card, else the last one; None when the account has no such card or it never was returned."""
    row = await conn.fetchrow(SQL.latest_return, bucket, account_id, card_id)
    return None if row is None else CardReturn(**{**dict(row.items()), "state": ReturnState(row["state"])})


async def undecided(conn: Conn, buckets: Sequence[int], *, after_id: int, limit: int) -> list[Undecided]:
    """Open returns with the facts of their cards, in order of their ids, from the first one after `after_id`."""
    return [
        Undecided(
            bucket=row["bucket"],
            return_id=row["return_id"],
            card_id=row["card_id"],
            operator_id=row["operator_id"],
            state=ReturnState(row["state"]),
            blocked_reason=row["blocked_reason"],
            release_after=row["release_after"],
            facts=CardFacts(
                arrears=row["arrears"],
                stays_open=row["stays_open"],
                charges_due=row["charges_due"],
                attempts_unknown=row["attempts_unknown"],
                scans_unsettled=row["scans_unsettled"],
                gates_behind=row["gates_behind"],
                deposit_minor=row["deposit_minor"],
            ),
        )
        for row in await conn.fetch(SQL.undecided, list(buckets), after_id, limit)
    ]


async def count_blocks(conn: Conn, keys: Sequence[tuple[int, int]]) -> None:
    """Add one to the blocked count of the returns (bucket, return_id)."""
    await conn.execute(SQL.count_blocks, [bucket for bucket, _ in keys], [return_id for _, return_id in keys])


async def releasing(conn: Conn, buckets: Sequence[int], *, now: datetime, limit: int) -> list[Releasing]:
    """Returns whose refund was asked for, that are not completed and not postponed."""
    rows = await conn.fetch(SQL.releasing, list(buckets), now, limit)
    return [Releasing(**dict(row.items())) for row in rows]


async def postpone(conn: Conn, *, bucket: int, return_id: int, until: datetime) -> None:
    """Leave a releasing return alone until then."""
    await conn.execute(SQL.postpone, bucket, return_id, until)


async def insert_exception(
    conn: Conn, *, operator_id: int, gate_id: int, until_at: datetime, token_name: str, now: datetime
) -> bool:
    """Whether the gate is the operator's (then the exception is written)."""
    found = await conn.fetchval(SQL.insert_exception, operator_id, gate_id, until_at, token_name, now)
    return found is not None
