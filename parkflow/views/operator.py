"""What an operator sees: what happened in each lot, and the business days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.business_date import business_window

_SQL = load(__file__, "operator.sql")


@dataclass(frozen=True, slots=True)
class LotSummary:
    """One lot: counts, and money in minor units of the operator's currency, of the stays that began in a span.

    stays = stays_open + stays_unpriced (given up, held or waived) + priced ones; stays_free were priced at nothing.
    charged_minor = paid_minor (less refunds) + due_minor + arrears_minor + waived_minor (+ refunds).
    """

    lot_id: int
    reference: str
    name: str
    stays: int
    stays_open: int
    stays_unpriced: int
    stays_free: int
    charges: int
    charged_minor: int
    paid: int
    paid_minor: int
    due_minor: int
    arrears: int
    arrears_minor: int
    waived_minor: int


@dataclass(frozen=True, slots=True)
class DayLine:
    """One business day in a list."""

    day: date
    state: str
    opened_at: datetime
    closing_at: datetime | None
    closed_at: datetime | None
    sha256: bytes | None


async def lot_summaries(
    conn: Conn, operator_id: int, *, first: date, last: date, time_zone: str, day_turn: time
) -> Sequence[LotSummary]:
    """Every lot of the operator, over the business days from `first` to `last` (in it)."""
    zone = ZoneInfo(time_zone)
    start = business_window(first, zone, day_turn).start
    end = business_window(last, zone, day_turn).end
    rows = await conn.fetch(_SQL.lot_summary, operator_id, start, end)
    return [LotSummary(**dict(row.items())) for row in rows]


async def days(conn: Conn, operator_id: int, *, before: date, limit: int) -> Sequence[DayLine]:
    """Business days before a date, newest first."""
    return [DayLine(**dict(row.items())) for row in await conn.fetch(_SQL.days, operator_id, before, limit)]
