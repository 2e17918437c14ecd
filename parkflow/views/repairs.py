"""What an operator's staff sees of repairs: what waits for a person, and what became of a stay and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of

_SQL: Final = load(__file__, "repairs.sql")


@dataclass(frozen=True, slots=True)
class WaitingStay:
    """A stay that a person has to decide."""

    stay_id: int
    card_id: int
    lot_id: int
    lot_name: str
    entry_at: datetime
    state: str
    reason: str | None
    marks: Sequence[str]


@dataclass(frozen=True, slots=True)
class WaitingScan:
    """A scan that belongs to no stay yet, and for what it waits."""

    card_id: int
    gate_id: int
    epoch: int
    seq: int
    lot_id: int
    lot_name: str
    direction: str
    medium: str
    scanned_at: datetime
    reason: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class StayNow:
    """A stay as it is; the money follows its corrections when `adjusted` reaches them."""

    stay_id: int
    card_id: int
    lot_id: int
    entry_at: datetime
    exit_at: datetime | None
    state: str
    reason: str | None
    marks: Sequence[str]
    fee_minor: int | None
    currency: str
    corrections: int
    adjusted: int


@dataclass(frozen=True, slots=True)
class Repair:
    """What a stay was before a correction and why that came; what moved for it, None where nothing had to."""

    number: int
    reason: str
    corrected_at: datetime
    was_state: str
    was_entry_at: datetime
    was_exit_at: datetime | None
    was_marks: Sequence[str]
    was_fee_minor: int | None
    from_minor: int | None
    to_minor: int | None
    waived_minor: int | None
    raised_minor: int | None
    refunded_minor: int | None
    short_minor: int | None
    charge_id: int | None
    adjusted_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """What a person decided of the stay."""

    number: int
    verdict: str
    at: datetime | None
    token_name: str
    decided_at: datetime
    applied_at: datetime | None


async def waiting_stays(conn: Conn, operator_id: int, *, limit: int) -> Sequence[WaitingStay]:
    """The oldest first."""
    return [WaitingStay(**dict(row.items())) for row in await conn.fetch(_SQL.waiting_stays, operator_id, limit)]


async def waiting_scans(conn: Conn, operator_id: int, *, limit: int) -> Sequence[WaitingScan]:
    """Those that wait for a person first, then the oldest."""
    return [WaitingScan(**dict(row.items())) for row in await conn.fetch(_SQL.waiting_scans, operator_id, limit)]


async def stay_now(conn: Conn, operator_id: int, stay_id: int) -> StayNow | None:
    """The operator's stay; None for another's."""
    row = await conn.fetchrow(_SQL.stay_now, bucket_of(stay_id), stay_id, operator_id)
    return StayNow(**dict(row.items())) if row else None


async def repairs_of(conn: Conn, operator_id: int, stay_id: int) -> Sequence[Repair]:
    """The corrections of a stay in order."""
    rows = await conn.fetch(_SQL.repairs_of_stay, bucket_of(stay_id), stay_id, operator_id)
    return [Repair(**dict(row.items())) for row in rows]


async def decisions_of(conn: Conn, operator_id: int, stay_id: int) -> Sequence[DecisionLine]:
    """The decisions on a stay in order."""
    rows = await conn.fetch(_SQL.decisions_of_stay, bucket_of(stay_id), stay_id, operator_id)
    return [DecisionLine(**dict(row.items())) for row in rows]
