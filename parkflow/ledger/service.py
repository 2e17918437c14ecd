"""Posting to the open business day, and closing it so that nothing lands behind the cut.

Whoever posts holds the operator's open day for key share from before its first other row lock; the close takes it for
update. So a close waits for what is in flight, what comes later goes to the next day, and neither waits in a circle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from parkflow.core import Transfer
from parkflow.db.conn import Conn
from parkflow.db.transition import Change, Subject, transition
from parkflow.kit.business_date import business_date
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import bucket_of, derived_id
from parkflow.ledger import store
from parkflow.ledger.state import BUSINESS_DAY, DayEvent, DayState

# A day that closes while we wait for it is followed by the next one in the same commit, so a second look finds it.
_LOOKS_MAX: Final = 3
_DAY: Final = timedelta(days=1)


class NoOpenDay(ParkflowError):
    """The operator has no open business day; it is being closed, or was never opened."""

    code = "no_open_day"
    status = 503


class Posting(NamedTuple):
    """A transfer with its place: whose bucket, which operator, what currency, and when it happened."""

    bucket: int
    operator_id: int
    currency: str
    transfer: Transfer
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class BusinessDay:
    """One day of an operator; `totals` and `sha256` exist when it is closed."""

    operator_id: int
    day: date
    state: DayState
    totals: Any
    sha256: bytes | None


async def ensure_open_day(conn: Conn, operator_id: int, now: datetime) -> date:
    """The operator's open day; its first one is opened by the calendar. Raises NotFound, NoOpenDay."""
    calendar = await store.read_calendar(conn, operator_id)
    if calendar is None:
        raise NotFound("there is no such operator")
    if not calendar["has_day"]:
        day = business_date(now, ZoneInfo(calendar["time_zone"]), calendar["day_turn"])
        await store.insert_first_day(conn, operator_id, day, now)
    return await open_day(conn, operator_id)


async def open_day(conn: Conn, operator_id: int) -> date:
    """The operator's open day, held until the transaction ends. Raises NoOpenDay."""
    return (await hold_open_days(conn, [operator_id]))[operator_id]


async def hold_open_days(conn: Conn, operator_ids: Iterable[int]) -> dict[int, date]:
    """The open day of each operator, held until the transaction ends.

    To be called before any other row is locked. Raises NoOpenDay.
    """
    wanted = sorted(set(operator_ids))
    held: dict[int, date] = {}
    for _ in range(_LOOKS_MAX):
        missing = [operator_id for operator_id in wanted if operator_id not in held]
        if not missing:
            break
        held |= await store.hold_open_days(conn, missing)
    if len(held) < len(wanted):
        raise NoOpenDay
    return held


async def read_open_day(conn: Conn, operator_id: int) -> date | None:
    """The open day without holding it: a figure, not a place to post to."""
    return await store.read_open_day(conn, operator_id)


async def post(conn: Conn, postings: Sequence[Posting], *, now: datetime) -> int:
    """Post each transfer to its operator's open day, unless (code, reference) was posted before; how many were new."""
    if not postings:
        return 0
    days = await hold_open_days(conn, (posting.operator_id for posting in postings))
    ordered = sorted(postings, key=lambda posting: (posting.bucket, posting.transfer.code, posting.transfer.reference))
    transfers = [posting.transfer for posting in ordered]
    columns: dict[str, list[Any]] = {
        "bucket": [posting.bucket for posting in ordered],
        "code": [transfer.code for transfer in transfers],
        "reference": [transfer.reference for transfer in transfers],
        "operator_id": [posting.operator_id for posting in ordered],
        "business_day": [days[posting.operator_id] for posting in ordered],
        "debit_kind": [transfer.debit_kind for transfer in transfers],
        "debit_owner": [str(transfer.debit_owner) for transfer in transfers],
        "credit_kind": [transfer.credit_kind for transfer in transfers],
        "credit_owner": [str(transfer.credit_owner) for transfer in transfers],
        "amount_minor": [transfer.amount_minor for transfer in transfers],
        "currency": [posting.currency for posting in ordered],
        "occurred_at": [posting.occurred_at for posting in ordered],
    }
    return await store.insert_transfers(conn, columns, now)


async def begin_close(conn: Conn, operator_id: int, day: date, now: datetime) -> BusinessDay:
    """Lock the day and begin to close it. One that is closing already goes on, a closed one is returned as it is.

    Raises NotFound.
    """
    row = await store.lock_day(conn, operator_id, day)
    if row is None:
        raise NotFound(f"the operator has no business day {day}")
    state = DayState(row["state"])
    if state is DayState.OPEN:
        subject, change = _subject(operator_id, day), Change(now, reason=day.isoformat(), columns={"closing_at": now})
        await transition(conn, BUSINESS_DAY, subject, DayEvent.BEGIN_CLOSE, change)
        state = DayState.CLOSING
    return BusinessDay(operator_id, day, state, row["totals"], row["sha256"])


async def finish_close(
    conn: Conn, closing: BusinessDay, *, totals: object, sha256: bytes, now: datetime
) -> BusinessDay:
    """Close a day that `begin_close` locked, and open the next one with it. Raises IllegalTransition."""
    subject = _subject(closing.operator_id, closing.day)
    columns = {"closed_at": now, "totals": totals, "sha256": sha256}
    change = Change(now, reason=closing.day.isoformat(), columns=columns)
    await transition(conn, BUSINESS_DAY, subject, DayEvent.FINISH_CLOSE, change)
    await store.open_next_day(conn, closing.operator_id, closing.day + _DAY, now)
    return BusinessDay(closing.operator_id, closing.day, DayState.CLOSED, totals, sha256)


def _subject(operator_id: int, day: date) -> Subject:
    # An operator's days may be closed at one instant, so each day has a history of its own.
    bucket = bucket_of(operator_id)
    history = derived_id(bucket, operator_id.to_bytes(8, "big"), day.isoformat().encode())
    return Subject("business_day", {"operator_id": operator_id, "day": day}, bucket, history)
