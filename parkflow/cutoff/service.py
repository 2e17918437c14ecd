"""Closing business days: arrears are counted, totals hashed, and the next day opened, in one transaction."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from parkflow.arrears import service as arrears
from parkflow.cutoff import rules, store
from parkflow.cutoff.store import DayRow
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import to_text
from parkflow.ledger import service as ledger
from parkflow.ledger.state import DayState
from parkflow.operator import service as operators
from parkflow.services import Services

__all__ = ["ClosedDay", "DayRow", "DueDay"]


class DayNotOver(ParkflowError):
    """A business day can be closed only after it has ended."""

    code = "day_not_over"
    status = 409


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A closed day: the canonical bytes of its totals and their SHA-256; never different for one day."""

    operator_id: int
    day: date
    statement: bytes
    sha256: bytes


class DueDay(NamedTuple):
    """A day that has ended and is not closed."""

    operator_id: int
    day: date
    ended_at: datetime


async def due(conn: Conn, *, now: datetime) -> list[DueDay]:
    """The operators' running days that have ended."""
    days = await store.running_days(conn)
    ends = [
        DueDay(
            running.operator_id,
            running.day,
            rules.end_of(day=running.day, time_zone=running.time_zone, day_turn=running.day_turn),
        )
        for running in days
    ]
    return [day for day in ends if day.ended_at <= now]


async def day_of(conn: Conn, *, operator_id: int, day: date) -> DayRow:
    """One business day of an operator, in whatever state. Raises NotFound."""
    found = await store.day(conn, operator_id=operator_id, day=day)
    if found is None:
        raise NotFound(f"the operator has no business day {day}")
    return found


async def close_day(services: Services, *, operator_id: int, day: date, now: datetime) -> ClosedDay:
    """Close a day; for one that is closed, what was stored then.

    Raises NotFound when the operator has no such day, DayNotOver when it has not ended.
    """
    return await in_tx(services.pool, lambda conn: _close(conn, services, operator_id, day, now))


async def differing_days(conn: Conn) -> list[DueDay]:
    """Closed days whose totals, counted again now, would not give the stored bytes and hash; there are none."""
    differing = []
    for closed in await store.closed_days(conn):
        assert closed.totals is not None, f"day {closed.day} is {closed.state}"
        again = rules.canonical(await _totals(conn, closed))
        if again != rules.canonical(closed.totals) or hashlib.sha256(again).digest() != closed.sha256:
            ended_at = rules.end_of(day=closed.day, time_zone=closed.time_zone, day_turn=closed.day_turn)
            differing.append(DueDay(closed.operator_id, closed.day, ended_at))
    return differing


async def _close(conn: Conn, services: Services, operator_id: int, day: date, now: datetime) -> ClosedDay:
    found = await day_of(conn, operator_id=operator_id, day=day)
    if not rules.is_over(day=day, time_zone=found.time_zone, day_turn=found.day_turn, now=now):
        raise DayNotOver(f"{day} has not ended for this operator: its day turns at {found.day_turn} {found.time_zone}")
    # The lock waits for every posting in flight, and from then on nobody posts to the day.
    closing = await ledger.begin_close(conn, operator_id, day, now)
    if closing.state is not DayState.CLOSED:
        await arrears.collect(conn, services.vault, operator_id=operator_id, day=day, now=now)
        totals = await _totals(conn, found)
        sha256 = hashlib.sha256(rules.canonical(totals)).digest()
        await ledger.finish_close(conn, closing, totals=totals, sha256=sha256, now=now)
    return _closed(await day_of(conn, operator_id=operator_id, day=day))


async def _totals(conn: Conn, found: DayRow) -> dict[str, object]:
    operator_id, day = found.operator_id, found.day
    return rules.statement(
        operator_id=to_text(operators.ID_PREFIX, operator_id),
        day=day,
        currency=found.currency,
        codes=await store.totals_by_code(conn, operator_id=operator_id, day=day),
        lots=await store.totals_by_lot(conn, operator_id=operator_id, day=day),
        digests=await store.digests(conn, operator_id=operator_id, day=day),
    )


def _closed(found: DayRow) -> ClosedDay:
    assert found.totals is not None, f"day {found.day} is {found.state}"
    assert found.sha256 is not None, f"day {found.day} has no hash"
    statement = rules.canonical(found.totals)
    assert hashlib.sha256(statement).digest() == found.sha256, f"the stored totals of {found.day} do not have its hash"
    return ClosedDay(found.operator_id, found.day, statement, found.sha256)
