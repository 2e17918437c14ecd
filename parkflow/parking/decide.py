"""What a person decides of a stay or of a scan that waits: put on record here, carried out by the worker's next pass.

A decision is an input of pairing like a scan. What a gate saw counts more than what a person decided without it: a true
exit that arrives later takes the place of one that was decided.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.gate.unpaired import MISSING_ENTRY, ScanKey
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import bucket_of, derived_id
from parkflow.parking.rules import Verdict
from parkflow.parking.state import StayState

_SQL: Final = load(__file__, "decide.sql")
# Stays that a person may end or waive; an open one may be ended.
_MAY_END: Final = frozenset({StayState.OPEN, StayState.HELD, StayState.CLOSED, StayState.PRICED, StayState.ABANDONED})
_MAY_WAIVE: Final = frozenset({StayState.HELD, StayState.CLOSED, StayState.PRICED})


class NotForAPerson(ParkflowError):
    """A gate saw this, or the stay or scan is in a state in which there is nothing to decide."""

    code = "not_for_a_person"
    status = 409


class DecidedAtOnce(ParkflowError):
    """Somebody else decided this at the same moment; look again."""

    code = "decided_at_once"
    status = 409


class DecisionNotPossible(ParkflowError):
    """An exit lies between its entry and now, an entry before its exit; give `at` for these two and nothing else."""

    code = "decision_not_possible"
    status = 422


class Wish(NamedTuple):
    """What a person wants: the verdict, for `exit_at` and `entry_at` with the instant, and whose token it is."""

    verdict: Verdict
    at: datetime | None
    operator_id: int
    token_name: str


class DecisionMade(NamedTuple):
    """A decision on record; `applied_at` is None until the worker has carried it out."""

    number: int
    verdict: Verdict
    at: datetime | None
    token_name: str
    decided_at: datetime
    applied_at: datetime | None


class _Subject(NamedTuple):
    ident: int
    group: tuple[int, int, int]
    keys: tuple[int | None, int | None, int | None, int | None]
    about_at: datetime


async def decide_stay(conn: Conn, stay_id: int, wish: Wish, *, now: datetime) -> DecisionMade:
    """Give a stay an exit that no gate saw, give it up, or waive its fee; the same again changes nothing.

    Raises NotFound, NotForAPerson, DecidedAtOnce, DecisionNotPossible.
    """
    row = await conn.fetchrow(_SQL.stay_to_decide, bucket_of(stay_id), stay_id, wish.operator_id)
    if row is None:
        raise NotFound("the operator has no such stay")
    subject = _Subject(stay_id, _group(row), (stay_id, None, None, None), row["entry_at"])
    if (same := await _same(conn, subject, wish)) is not None:
        return same
    match wish.verdict:
        case Verdict.EXIT_AT:
            _require(wish.at is not None and row["entry_at"] <= wish.at <= now)
            allowed = row["state"] in _MAY_END and not row["exit_was_seen"]
        case Verdict.ABANDON:
            _require(wish.at is None)
            allowed = row["state"] in _MAY_END and not row["exit_was_seen"]
        case Verdict.WAIVE:
            _require(wish.at is None)
            allowed = row["state"] in _MAY_WAIVE
        case Verdict.ENTRY_AT | Verdict.REJECT:
            raise DecisionNotPossible(f"{wish.verdict} is decided of a scan, not of a stay")
    if not allowed:
        raise NotForAPerson(
            f"the stay is {row['state']}, {'with' if row['exit_was_seen'] else 'without'} a scanned exit"
        )
    return await _insert(conn, subject, wish, now)


async def decide_scan(conn: Conn, card_id: int, key: ScanKey, wish: Wish, *, now: datetime) -> DecisionMade:
    """Give an exit the entry that no gate saw, or let a scan that waits count for nothing; again changes nothing.

    Raises as `decide_stay`.
    """
    row = await conn.fetchrow(_SQL.scan_to_decide, key.bucket, card_id, *key[1:], wish.operator_id)
    if row is None:
        raise NotFound("the operator has no such scan")
    ident = derived_id(key.bucket, b"scan", *(number.to_bytes(8, "big") for number in key[1:]))
    about_at = row["scanned_at"] if row["earliest_at"] is None else row["earliest_at"]
    subject = _Subject(ident, _group(row), (None, *key[1:]), about_at)
    if (same := await _same(conn, subject, wish)) is not None:
        return same
    waits = row["state"] in ("received", "held")
    match wish.verdict:
        case Verdict.ENTRY_AT:
            _require(wish.at is not None and wish.at <= about_at)
            allowed = row["direction"] == "exit" and (waits or row["reason"] == MISSING_ENTRY)
        case Verdict.REJECT:
            _require(wish.at is None)
            allowed = waits
        case Verdict.EXIT_AT | Verdict.ABANDON | Verdict.WAIVE:
            raise DecisionNotPossible(f"{wish.verdict} is decided of a stay, not of a scan")
    if not allowed:
        raise NotForAPerson(f"the scan is {row['state']}")
    return await _insert(conn, subject, wish, now)


async def _same(conn: Conn, subject: _Subject, wish: Wish) -> DecisionMade | None:
    last = await _last(conn, subject)
    return last if last is not None and (last.verdict, last.at) == (wish.verdict, wish.at) else None


async def _last(conn: Conn, subject: _Subject) -> DecisionMade | None:
    row = await conn.fetchrow(_SQL.last_decision, subject.group[0], subject.ident)
    return None if row is None else DecisionMade(**{**dict(row.items()), "verdict": Verdict(row["verdict"])})


async def _insert(conn: Conn, subject: _Subject, wish: Wish, now: datetime) -> DecisionMade:
    last = await _last(conn, subject)
    number = 1 if last is None else last.number + 1
    bucket, card_id, lot_id = subject.group
    values: Sequence[Any] = (
        *(bucket, subject.ident, number, card_id, lot_id, wish.operator_id),
        *subject.keys,
        *(subject.about_at, wish.verdict, wish.at, wish.token_name, now),
    )
    if await conn.fetchval(_SQL.insert_decision, *values) is None:
        raise DecidedAtOnce
    return DecisionMade(number, wish.verdict, wish.at, wish.token_name, now, None)


def _require(possible: bool) -> None:
    if not possible:
        raise DecisionNotPossible


def _group(row: Row) -> tuple[int, int, int]:
    return row["bucket"], row["card_id"], row["lot_id"]
