"""The shadow run over a lot's past stays: what was really charged against what another version would charge.

Only reads, page by page, so it holds up nobody. Stays of a card in one lot do not overlap, so in order of entry they
are in order of exit too; where the version counts over a card's stays, each card begins with a fresh history.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from parkflow import core
from parkflow.db.conn import Pool, Row
from parkflow.db.sql import load
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import to_text
from parkflow.lot import service as lot_service
from parkflow.operator import service as operator_service
from parkflow.tariff.shadow import Comparison, PastStay, Pricer, local_hour_of

_SQL: Final = load(__file__, "shadow.sql")
_PAGE_MAX: Final = 5_000
STAY_PREFIX: Final = "stay"


class ShadowRefused(ParkflowError):
    """A version is compared over days in order, and in the lot's own time zone."""

    code = "shadow_refused"
    status = 422


@dataclass(frozen=True, slots=True)
class Span:
    """The stays of a lot that began on the local days from `first` to `last` (in it)."""

    operator_id: int
    lot_id: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class ShadowRun:
    """What came out; `complete` is False when there were more stays than were asked for."""

    comparison: Comparison
    complete: bool


async def run(
    pool: Pool,
    span: Span,
    tariff: core.Tariff,
    *,
    top: int = 20,
    stays_max: int | None = None,
    on_page: Callable[[int], None] = lambda stays: None,
) -> ShadowRun:
    """Price the span's priced stays by `tariff` too; `on_page` hears how many are done.

    Raises NotFound, ShadowRefused.
    """
    async with pool.acquire() as conn:
        lot = await lot_service.get(conn, operator_id=span.operator_id, lot_id=span.lot_id)
        currency = (await operator_service.get(conn, span.operator_id)).currency
    if span.last < span.first:
        raise ShadowRefused(f"the last day {span.last} is before the first {span.first}")
    if tariff.timezone != lot.time_zone:
        raise ShadowRefused(f"the tariff's time zone is {tariff.timezone}, but the lot's is {lot.time_zone}")
    if tariff.currency != currency:
        raise ShadowRefused(f"the tariff is in {tariff.currency}, but the operator's currency is {currency}")
    zone = ZoneInfo(lot.time_zone)
    start = datetime.combine(span.first, time(), zone)
    end = datetime.combine(span.last + timedelta(days=1), time(), zone)
    pricer, comparison = Pricer(tariff), Comparison(local_hour_of(tariff), top=top)
    after = (start, -1)
    while rows := await _page(pool, span, (start, end), after):
        left = None if stays_max is None else stays_max - comparison.stays
        await asyncio.to_thread(_add, pricer, comparison, rows[:left])
        on_page(comparison.stays)
        if left is not None and len(rows) > left:
            return ShadowRun(comparison, complete=False)
        after = (rows[-1]["entry_at"], rows[-1]["stay_id"])
    return ShadowRun(comparison, complete=True)


async def _page(pool: Pool, span: Span, between: tuple[datetime, datetime], after: tuple[datetime, int]) -> list[Row]:
    # A transaction for each page: one over all would keep the database from cleaning up for as long as it runs.
    async with pool.acquire() as conn, conn.transaction(readonly=True):
        return await conn.fetch(_SQL.past_stays, span.operator_id, span.lot_id, *between, *after, _PAGE_MAX)


def _add(pricer: Pricer, comparison: Comparison, rows: list[Row]) -> None:
    stays = [_past_stay(row) for row in rows]
    comparison.add(stays, [row["fee_minor"] for row in rows], pricer.prices(stays))


def _past_stay(row: Row) -> PastStay:
    record: Mapping[str, Any] = row["record"]
    return PastStay(
        label=to_text(STAY_PREFIX, row["stay_id"]),
        entry_s=int(row["entry_at"].timestamp()),
        exit_s=int(row["exit_at"].timestamp()),
        vehicle_class=row["vehicle_class"],
        tags=tuple(record.get("tags", ())),
        account=str(row["card_id"]),
        terms=_terms(record),
    )


def _terms(record: Mapping[str, Any]) -> core.Terms | None:
    """Passes, vouchers and payments that the charge counted; None: none, as for most stays."""
    if not record.keys() & {"covered", "vouchers", "paid"}:
        return None
    return core.Terms(
        covered=[(start, end) for start, end in record.get("covered", ())],
        vouchers=[(kind, value) for kind, value in record.get("vouchers", ())],
        vouchers_as_given=record.get("vouchers_as_given", False),
        paid=[(at, amount) for at, amount in record.get("paid", ())],
    )
