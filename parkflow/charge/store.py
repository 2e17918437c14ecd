"""Charges and attempts in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from parkflow.charge.state import ATTEMPT, CHARGE, AttemptEvent, ChargeEvent
from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of

SQL = load(__file__)


class NewCharge(NamedTuple):
    """Money that has become due. The id is the stay's, an adjustment's own, or for a deposit (no lot) the card's."""

    bucket: int
    charge_id: int
    kind: str  # stay | deposit | adjustment
    card_id: int
    operator_id: int
    lot_id: int | None
    gross_minor: int
    discount_minor: int
    currency: str
    occurred_at: datetime
    # By which version of a tariff the fee was computed; a deposit has none.
    tariff_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as far as trying to take its money needs it."""

    bucket: int
    charge_id: int
    kind: str
    card_id: int
    operator_id: int
    lot_id: int | None
    net_minor: int
    currency: str
    state: str
    attempt_count: int
    declined_count: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """An attempt that is about to be recorded."""

    charge: Charge
    order_no: str
    purpose: str  # deduct | repay | deposit
    channel: str
    payer_ref: str
    request: bytes


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt without a final answer."""

    bucket: int
    order_no: str
    state: str
    channel: str
    request: bytes
    card_id: int
    query_count: int


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """An attempt with what its answer needs of the charge."""

    bucket: int
    charge_id: int
    number: int
    order_no: str
    channel: str
    amount_minor: int
    state: str
    query_count: int
    kind: str
    card_id: int
    operator_id: int
    currency: str
    declined_count: int
    due_at: datetime


async def insert_charges(
    conn: Conn, charges: Sequence[NewCharge], *, days: Sequence[date], due_at: datetime, now: datetime
) -> set[int]:
    """The ids of those that are new."""
    rows = await conn.fetch(
        SQL.insert_charges,
        [charge.bucket for charge in charges],
        [charge.charge_id for charge in charges],
        [charge.kind for charge in charges],
        [charge.card_id for charge in charges],
        [charge.operator_id for charge in charges],
        [charge.lot_id for charge in charges],
        [charge.gross_minor for charge in charges],
        [charge.discount_minor for charge in charges],
        [charge.currency for charge in charges],
        list(days),
        due_at,
        now,
        [charge.tariff_sha256 for charge in charges],
    )
    return {row["charge_id"] for row in rows}


async def due_charges(conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime, limit: int) -> list[Charge]:
    rows = await conn.fetch(SQL.due_charges, owner, list(buckets), now, limit)
    return [Charge(**row) for row in rows]


async def charges(conn: Conn, charge_ids: Sequence[int]) -> list[Charge]:
    rows = await conn.fetch(SQL.charges, [bucket_of(one) for one in charge_ids], list(charge_ids))
    return [Charge(**row) for row in rows]


async def open_charges(conn: Conn, card_ids: Sequence[int]) -> list[Charge]:
    rows = await conn.fetch(SQL.open_charges, [bucket_of(one) for one in card_ids], list(card_ids))
    return [Charge(**row) for row in rows]


async def count_recent_declines(
    conn: Conn, charge_ids: Sequence[int], *, day_ago: datetime, month_ago: datetime
) -> dict[int, tuple[int, int]]:
    """charge_id -> declines in 24 hours, in 30 days."""
    buckets = [bucket_of(one) for one in charge_ids]
    rows = await conn.fetch(SQL.count_recent_declines, buckets, list(charge_ids), day_ago, month_ago)
    return {row["charge_id"]: (row["in_24_hours"], row["in_30_days"]) for row in rows}


async def postpone_charges(conn: Conn, charge_ids: Sequence[int], until: datetime) -> None:
    await conn.execute(SQL.postpone_charges, [bucket_of(one) for one in charge_ids], list(charge_ids), until)


async def claim_charges(conn: Conn, charges: Sequence[Charge], *, fence: str | None) -> set[int]:
    rows = await conn.fetch(
        SQL.claim_charges,
        [charge.bucket for charge in charges],
        [charge.charge_id for charge in charges],
        [charge.attempt_count for charge in charges],
        fence,
    )
    return {row["charge_id"] for row in rows}


async def insert_attempts(
    conn: Conn, drafts: Sequence[Draft], *, owner: str, now: datetime, look_again_at: datetime
) -> None:
    await conn.execute(
        SQL.insert_attempts,
        [draft.charge.bucket for draft in drafts],
        [draft.charge.charge_id for draft in drafts],
        [draft.charge.attempt_count + 1 for draft in drafts],
        [draft.order_no for draft in drafts],
        [draft.purpose for draft in drafts],
        [draft.channel for draft in drafts],
        [draft.payer_ref for draft in drafts],
        [draft.charge.net_minor for draft in drafts],
        [draft.request for draft in drafts],
        owner,
        now,
        look_again_at,
    )


async def send_attempts(
    conn: Conn, order_nos: Sequence[str], buckets: Sequence[int], *, owner: str, now: datetime, look_again_at: datetime
) -> set[str]:
    rows = await conn.fetch(SQL.send_attempts, list(buckets), list(order_nos), owner, now, look_again_at)
    return {row["order_no"] for row in rows}


async def open_attempts(
    conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime, edge_owner: str, limit: int
) -> list[OpenAttempt]:
    rows = await conn.fetch(SQL.open_attempts, owner, list(buckets), now, edge_owner, limit)
    return [OpenAttempt(**row) for row in rows]


async def live_attempts(conn: Conn, charge_ids: Sequence[int]) -> list[OpenAttempt]:
    rows = await conn.fetch(SQL.live_attempts, [bucket_of(one) for one in charge_ids], list(charge_ids))
    return [OpenAttempt(**row) for row in rows]


async def take_over_attempts(
    conn: Conn, attempts: Sequence[OpenAttempt], *, owner: str, now: datetime, look_again_at: datetime
) -> set[str]:
    buckets, order_nos = _keys(attempts)
    rows = await conn.fetch(SQL.take_over_attempts, buckets, order_nos, owner, now, look_again_at)
    return {row["order_no"] for row in rows}


async def read_attempts(conn: Conn, keys: Sequence[tuple[int, str]]) -> list[KnownAttempt]:
    """By (bucket, order number)."""
    rows = await conn.fetch(SQL.read_attempts, [bucket for bucket, _ in keys], [order_no for _, order_no in keys])
    return [KnownAttempt(**row) for row in rows]


async def succeed_attempts(
    conn: Conn, attempts: Sequence[KnownAttempt], *, facts: Sequence[tuple[Any, ...]], now: datetime
) -> set[str]:
    """`facts` are the channel number, the instant of payment and the raw code of each."""
    columns = [[fact[place] for fact in facts] for place in range(3)]
    sources = list(ATTEMPT.sources(AttemptEvent.SUCCEED))
    rows = await conn.fetch(SQL.succeed_attempts, *_keys(attempts), *columns, sources, now)
    return {row["order_no"] for row in rows}


async def lock_charge(conn: Conn, charge_id: int) -> str:
    state: str = await conn.fetchval(SQL.lock_charge, bucket_of(charge_id), charge_id)
    return state


async def lock_amount(conn: Conn, charge_id: int) -> int:
    amount_minor: int = await conn.fetchval(SQL.lock_amount, bucket_of(charge_id), charge_id)
    return amount_minor


async def has_live_attempt(conn: Conn, charge_id: int) -> bool:
    return bool(await conn.fetchval(SQL.has_live_attempt, bucket_of(charge_id), charge_id))


async def succeed_late(
    conn: Conn, attempt: KnownAttempt, *, surplus: bool, fact: tuple[Any, ...], now: datetime
) -> bool:
    sources = list(ATTEMPT.sources(AttemptEvent.SUCCEED_LATE))
    args = (attempt.bucket, attempt.order_no, surplus, *fact, sources, now)
    return await conn.fetchval(SQL.succeed_late, *args) is not None


async def mark_surplus(conn: Conn, attempts: Sequence[KnownAttempt]) -> None:
    await conn.execute(SQL.mark_surplus, *_keys(attempts))


async def pay_charges(conn: Conn, attempts: Sequence[KnownAttempt], *, paid_at: Sequence[datetime]) -> set[int]:
    rows = await conn.fetch(
        SQL.pay_charges,
        [attempt.bucket for attempt in attempts],
        [attempt.charge_id for attempt in attempts],
        list(paid_at),
        list(CHARGE.sources(ChargeEvent.PAY)),
    )
    return {row["charge_id"] for row in rows}


async def fail_attempts(
    conn: Conn, attempts: Sequence[KnownAttempt], *, facts: Sequence[tuple[str, str | None, str]], now: datetime
) -> set[str]:
    """`facts` are the new state, the reason and the raw code of each."""
    columns = [[fact[place] for fact in facts] for place in range(3)]
    sources = list(ATTEMPT.sources(AttemptEvent.DECLINE) | ATTEMPT.sources(AttemptEvent.CLOSE))
    rows = await conn.fetch(SQL.fail_attempts, *_keys(attempts), *columns, sources, now)
    return {row["order_no"] for row in rows}


async def fail_charges(
    conn: Conn, attempts: Sequence[KnownAttempt], *, declines: Sequence[int], next_at: Sequence[datetime | None]
) -> None:
    await conn.execute(
        SQL.fail_charges,
        [attempt.bucket for attempt in attempts],
        [attempt.charge_id for attempt in attempts],
        list(declines),
        list(next_at),
        list(CHARGE.sources(ChargeEvent.FAIL)),
    )


async def leave_attempts_open(
    conn: Conn, attempts: Sequence[KnownAttempt], *, facts: Sequence[tuple[Any, ...]], now: datetime
) -> set[str]:
    """`facts` are whether sight was lost, the reason, the raw code and when to ask again, of each."""
    columns = [[fact[place] for fact in facts] for place in range(4)]
    sources = list(ATTEMPT.sources(AttemptEvent.LOSE_SIGHT))
    rows = await conn.fetch(SQL.leave_attempts_open, *_keys(attempts), *columns, sources, now)
    return {row["order_no"] for row in rows}


async def mark_arrears(conn: Conn, operator_id: int) -> list[Row]:
    return await conn.fetch(SQL.mark_arrears, operator_id)


async def waive_charge(conn: Conn, charge_id: int) -> Row | None:
    sources = list(CHARGE.sources(ChargeEvent.WAIVE))
    return await conn.fetchrow(SQL.waive_charge, bucket_of(charge_id), charge_id, sources)


async def surplus_attempts(conn: Conn, buckets: Sequence[int], since: datetime) -> list[Row]:
    return await conn.fetch(SQL.surplus_attempts, list(buckets), since)


async def paid_attempt(conn: Conn, charge_id: int) -> Row | None:
    return await conn.fetchrow(SQL.paid_attempt, bucket_of(charge_id), charge_id)


async def refund_charges(conn: Conn, amounts: Sequence[tuple[int, int]]) -> None:
    """`amounts` are (charge_id, minor units given back)."""
    await conn.execute(
        SQL.refund_charges,
        [bucket_of(charge_id) for charge_id, _ in amounts],
        [charge_id for charge_id, _ in amounts],
        [amount_minor for _, amount_minor in amounts],
        list(CHARGE.sources(ChargeEvent.REFUND_ALL)),
    )


def _keys(attempts: Sequence[KnownAttempt] | Sequence[OpenAttempt]) -> tuple[list[int], list[str]]:
    return [attempt.bucket for attempt in attempts], [attempt.order_no for attempt in attempts]
