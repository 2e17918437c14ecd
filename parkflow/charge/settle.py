"""What the channel said, written down once: attempt, then charge, ledger and card, in one transaction.

Whoever hears an answer (the call itself, a query, a notification, a bill) brings it here. Of any number of equal
answers one moves the attempt; the others find it moved.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from parkflow import core
from parkflow.card import service as cards
from parkflow.channel.port import Result
from parkflow.charge import rules, store
from parkflow.charge.rules import RetryTerms, Verdict
from parkflow.charge.state import AttemptState
from parkflow.charge.store import KnownAttempt
from parkflow.db.conn import Conn
from parkflow.kit.ids import MalformedId, bucket_of
from parkflow.ledger import service as ledger
from parkflow.ledger.service import Posting
from parkflow.operator import service as operators
from parkflow.settings import Settings

_log = logging.getLogger("parkflow.charge")


class _Heard(NamedTuple):
    attempt: KnownAttempt
    result: Result
    verdict: Verdict

    @property
    def fact(self) -> tuple[Any, ...]:
        return (self.result.channel_no, self.result.paid_at, self.result.raw_code)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a round of answers came to. `unmatched` are numbers that we have no attempt for."""

    paid: int = 0
    surplus: int = 0
    declined: int = 0
    open: int = 0
    unmatched: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.paid + self.surplus + self.declined + self.open


async def record_results(conn: Conn, results: Sequence[Result], *, settings: Settings, now: datetime) -> Settled:
    """Write the answers down; answers that change nothing any more are passed over."""
    heard, unmatched = await _match(conn, results)
    if not heard:
        return Settled(unmatched=unmatched)
    # The day comes first: a close that waits for us must not hold what we are about to wait for.
    await ledger.hold_open_days(conn, (one.attempt.operator_id for one in heard))
    paid, surplus = await _record_successes(conn, _of(heard, Verdict.PAID), now=now)
    declined = await _record_failures(conn, _of(heard, Verdict.DECLINED, Verdict.CLOSED), settings=settings, now=now)
    left = await _leave_open(conn, _of(heard, Verdict.LOST_SIGHT, Verdict.NOT_SENT), settings=settings, now=now)
    return Settled(paid, surplus, declined, left, unmatched)


async def _match(conn: Conn, results: Sequence[Result]) -> tuple[list[_Heard], tuple[str, ...]]:
    # One answer per number: a later one of the same round knows more.
    latest = {result.number: result for result in results}
    keys = [(bucket, number) for number in latest if (bucket := _bucket(number)) is not None]
    known = {attempt.order_no: attempt for attempt in await store.read_attempts(conn, keys)}
    heard = []
    for number, attempt in known.items():
        verdict = rules.judge(latest[number], amount_minor=attempt.amount_minor, currency=attempt.currency)
        heard.append(_Heard(attempt, latest[number], verdict))
    return heard, tuple(number for number in latest if number not in known)


async def _record_successes(conn: Conn, heard: Sequence[_Heard], *, now: datetime) -> tuple[int, int]:
    """How many charges were paid, and how many successes were surplus."""
    if not heard:
        return 0, 0
    moved = await store.succeed_attempts(
        conn, [one.attempt for one in heard], facts=[one.fact for one in heard], now=now
    )
    paying = [one for one in heard if one.attempt.order_no in moved]
    surplus: list[_Heard] = []
    for one in heard:
        if one.attempt.order_no not in moved:
            # Rare: a success after a decline or a close. One at a time, under the charge's lock.
            match await _succeed_late(conn, one, now=now):
                case True:
                    surplus.append(one)
                case False:
                    paying.append(one)
                case None:
                    pass
    paid_ids = await store.pay_charges(conn, [one.attempt for one in paying], paid_at=[_paid_at(one) for one in paying])
    # A live attempt outlives its charge only where somebody settled the charge by hand.
    unneeded = [one for one in paying if one.attempt.charge_id not in paid_ids]
    await store.mark_surplus(conn, [one.attempt for one in unneeded])
    surplus += unneeded
    paid = [one for one in paying if one.attempt.charge_id in paid_ids]
    await ledger.post(conn, [_payment(one) for one in paid] + [_overpayment(one) for one in surplus], now=now)
    funded = sorted((one.attempt.bucket, one.attempt.card_id) for one in paid if one.attempt.kind == "deposit")
    await cards.activate_funded(conn, funded, now=now)
    return len(paid), len(surplus)


async def _succeed_late(conn: Conn, one: _Heard, *, now: datetime) -> bool | None:
    """Whether the late success is surplus; None when the attempt had succeeded before."""
    state = await store.lock_charge(conn, one.attempt.charge_id)
    is_owed = state in ("due", "arrears") and not await store.has_live_attempt(conn, one.attempt.charge_id)
    if not await store.succeed_late(conn, one.attempt, surplus=not is_owed, fact=one.fact, now=now):
        return None
    _log.warning("order %s succeeded after it was %s", one.attempt.order_no, one.attempt.state)
    return not is_owed


async def _record_failures(conn: Conn, heard: Sequence[_Heard], *, settings: Settings, now: datetime) -> int:
    if not heard:
        return 0
    facts = [
        (_failed_state(one.verdict), one.result.reason.value if one.result.reason else None, one.result.raw_code)
        for one in heard
    ]
    moved = await store.fail_attempts(conn, [one.attempt for one in heard], facts=facts, now=now)
    failed = [one for one in heard if one.attempt.order_no in moved]
    terms = await _retry_terms(conn, {one.attempt.operator_id for one in failed}, settings)
    declines = [_declines(one) for one in failed]
    next_at = [
        _next_attempt(one, terms[one.attempt.operator_id], declines=counted, now=now)
        for one, counted in zip(failed, declines, strict=True)
    ]
    await store.fail_charges(conn, [one.attempt for one in failed], declines=declines, next_at=next_at)
    return len(failed)


def _next_attempt(one: _Heard, terms: RetryTerms, *, declines: int, now: datetime) -> datetime | None:
    if one.attempt.kind == "deposit":
        return None  # the driver asks for it again
    if one.verdict is Verdict.CLOSED:
        return now
    return rules.next_attempt_at(
        terms,
        reason=one.result.reason,
        declined_count=one.attempt.declined_count + declines,
        due_at=one.attempt.due_at,
        now=now,
    )


def _declines(one: _Heard) -> int:
    return int(one.verdict is Verdict.DECLINED and rules.counts_as_decline(one.result.reason))


def _failed_state(verdict: Verdict) -> str:
    return AttemptState.CLOSED if verdict is Verdict.CLOSED else AttemptState.DECLINED


async def _leave_open(conn: Conn, heard: Sequence[_Heard], *, settings: Settings, now: datetime) -> int:
    if not heard:
        return 0
    schedule = settings.unknown_query_schedule_seconds
    facts = [
        (
            one.verdict is Verdict.LOST_SIGHT,
            one.result.reason.value if one.result.reason else None,
            one.result.raw_code,
            rules.next_query_at(one.verdict, query_count=one.attempt.query_count, schedule_seconds=schedule, now=now),
        )
        for one in heard
    ]
    moved = await store.leave_attempts_open(conn, [one.attempt for one in heard], facts=facts, now=now)
    return len(moved)


async def _retry_terms(conn: Conn, operator_ids: Iterable[int], settings: Settings) -> dict[int, RetryTerms]:
    terms = {}
    for operator_id in operator_ids:
        operator = await operators.get(conn, operator_id)
        terms[operator_id] = RetryTerms(
            days=settings.decline_retry_days,
            local_time=settings.decline_retry_local_time,
            time_zone=ZoneInfo(operator.time_zone),
            day_turn=operator.day_turn,
        )
    return terms


def _payment(one: _Heard) -> Posting:
    make = core.deposit_paid if one.attempt.kind == "deposit" else core.charge_paid
    return _posting(one, make)


def _overpayment(one: _Heard) -> Posting:
    return _posting(one, core.overpayment_received)


def _posting(one: _Heard, make: Any) -> Posting:
    attempt = one.attempt
    transfer = make(
        card_id=attempt.card_id,
        channel_account=attempt.channel,
        order_number=attempt.order_no,
        amount_minor=attempt.amount_minor,
    )
    return Posting(attempt.bucket, attempt.operator_id, attempt.currency, transfer, _paid_at(one))


def _paid_at(one: _Heard) -> datetime:
    assert one.result.paid_at is not None, "a success that is believed states when it was"
    return one.result.paid_at


def _of(heard: Sequence[_Heard], *verdicts: Verdict) -> list[_Heard]:
    return [one for one in heard if one.verdict in verdicts]


def _bucket(order_no: str) -> int | None:
    try:
        return bucket_of(rules.charge_of_order(order_no))
    except MalformedId:
        return None
