"""What a driver sees of their own: stays, charges and arrears."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of
from parkflow.lot.rules import LotPolicy

_SQL = load(__file__, "driver.sql")


class Place(NamedTuple):
    """A place in a list that is sorted newest first; what comes before it is older."""

    at: datetime
    ident: int


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay; `fee_minor` is None until it is priced, `charge_state` until it is charged.

    missing: `exit` or `entry` where no gate saw it, or seems not to have seen it. marks: reason codes.
    corrections: how its charges followed it when it was corrected later, with reason codes.
    """

    stay_id: int
    card_id: int
    lot_id: int
    lot_name: str
    time_zone: str
    entry_at: datetime
    exit_at: datetime | None
    state: str
    reason: str | None
    fee_minor: int | None
    currency: str
    charge_state: str | None
    marks: Sequence[str]
    missing: str | None
    corrections: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge; a deposit has no lot."""

    charge_id: int
    kind: str
    card_id: int
    lot_id: int | None
    lot_name: str | None
    gross_minor: int
    discount_minor: int
    net_minor: int
    refunded_minor: int
    currency: str
    state: str
    created_at: datetime
    due_at: datetime
    paid_at: datetime | None


@dataclass(frozen=True, slots=True)
class Arrears:
    """One charge that a cut-off counted as arrears and that is not paid."""

    charge_id: int
    card_id: int
    amount_minor: int
    currency: str
    business_day: date
    opened_at: datetime
    lot_id: int | None
    lot_name: str | None


async def stays(conn: Conn, account_id: int, *, before: Place, limit: int, now: datetime) -> Sequence[Stay]:
    """Newest entry first, older than `before`; those that turned out to be none are left out."""
    hours = LotPolicy().missing_exit_hours
    rows = await conn.fetch(_SQL.stays, bucket_of(account_id), account_id, before.at, before.ident, limit, now, hours)
    return [Stay(**dict(row.items())) for row in rows]


async def charges(conn: Conn, account_id: int, *, before: Place, limit: int) -> Sequence[Charge]:
    """Newest first, older than `before`."""
    rows = await conn.fetch(_SQL.charges, bucket_of(account_id), account_id, before.at, before.ident, limit)
    return [Charge(**dict(row.items())) for row in rows]


async def arrears(conn: Conn, account_id: int) -> Sequence[Arrears]:
    """What is owed now, oldest first."""
    rows = await conn.fetch(_SQL.arrears, bucket_of(account_id), account_id)
    return [Arrears(**dict(row.items())) for row in rows]
