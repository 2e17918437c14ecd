"""The rows that a receipt is made of; read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class StayRow:
    """A stay, its names, and its charges if any were raised; exit and fee are None until there are any.

    An end that no gate saw has no event; `marks` say whence it is. is_behind: its charges do not follow its fee yet.
    """

    stay_id: int
    state: str
    lot_id: int
    lot_name: str
    operator_id: int
    operator_name: str
    entry_gate_id: int | None
    entry_epoch: int | None
    entry_seq: int | None
    entry_at: datetime
    exit_gate_id: int | None
    exit_epoch: int | None
    exit_seq: int | None
    exit_at: datetime | None
    tariff_sha256: bytes | None
    fee_minor: int | None
    fee_lines: dict[str, Any] | None
    marks: Sequence[str]
    is_behind: bool
    charge_state: str | None
    gross_minor: int | None
    discount_minor: int | None
    net_minor: int | None
    paid_at: datetime | None
    refunded_minor: int | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A payment that succeeded."""

    order_no: str
    channel: str
    amount_minor: int
    paid_at: datetime
    surplus: bool


@dataclass(frozen=True, slots=True)
class RefundRow:
    """A refund that succeeded."""

    refund_no: str
    order_no: str
    reason: str
    amount_minor: int
    refunded_at: datetime


async def stay(conn: Conn, stay_id: int, *, account_id: int | None, operator_id: int | None) -> StayRow | None:
    """The stay, if it is the account's and the operator's; None for either asks for anybody's."""
    found = await conn.fetchrow(_SQL.stay_of_receipt, bucket_of(stay_id), stay_id, account_id, operator_id)
    return StayRow(**dict(found.items())) if found else None


async def orders(conn: Conn, charge_id: int) -> Sequence[OrderRow]:
    rows = await conn.fetch(_SQL.orders_of_charge, bucket_of(charge_id), charge_id)
    return [OrderRow(**dict(row.items())) for row in rows]


async def refunds(conn: Conn, charge_id: int) -> Sequence[RefundRow]:
    rows = await conn.fetch(_SQL.refunds_of_charge, bucket_of(charge_id), charge_id)
    return [RefundRow(**dict(row.items())) for row in rows]
