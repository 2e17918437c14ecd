"""Pure rules of taking money: order numbers, when to try again, when to ask again, and what an answer means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Final, assert_never
from zoneinfo import ZoneInfo

from parkflow.channel.port import FailReason, Outcome, Result
from parkflow.kit.business_date import business_date
from parkflow.kit.ids import from_text, to_text

_ORDER_PREFIX: Final = "o"
_NUMBER_DIGITS: Final = 4
_NUMBER_MAX: Final = 9_999
# A channel that could not be reached at all has our order on no book, so asking costs nothing; the longest wait is
# short enough that what piled up is drained within half an hour of its return.
_NOT_ACCEPTED_WAIT_MAX: Final = timedelta(minutes=5)
# What our own configuration broke is not the driver's fault: tried again soon, never counted as a decline.
_OURS: Final = frozenset({FailReason.MERCHANT, FailReason.PARAM, FailReason.LOT_NOT_LIVE})
_OURS_WAIT: Final = timedelta(hours=1)


def order_number(charge_id: int, number: int) -> str:
    """The order number of a charge's n-th attempt: 17 letters and digits, the same for ever, unique per attempt."""
    assert 1 <= number <= _NUMBER_MAX, f"a charge has at most {_NUMBER_MAX} attempts"
    return f"{to_text(_ORDER_PREFIX, charge_id).removeprefix(f'{_ORDER_PREFIX}_')}{number:0{_NUMBER_DIGITS}d}"


def charge_of_order(order_no: str) -> int:
    """The charge in an order number that `order_number` made. Raises MalformedId."""
    return from_text(_ORDER_PREFIX, f"{_ORDER_PREFIX}_{order_no[:-_NUMBER_DIGITS]}")


class Verdict(Enum):
    """What an answer does to its attempt."""

    PAID = "paid"
    DECLINED = "declined"
    CLOSED = "closed"
    LOST_SIGHT = "lost_sight"  # the state becomes (or stays) unknown; ask again
    NOT_SENT = "not_sent"  # the channel never took it; the same bytes go again


def judge(result: Result, *, amount_minor: int, currency: str) -> Verdict:
    """What an answer means for the attempt of this amount; a success over anything else is not believed."""
    match result.outcome:
        case Outcome.SUCCEEDED:
            complete = result.channel_no is not None and result.paid_at is not None
            same = result.amount_minor == amount_minor and result.currency in (None, currency)
            return Verdict.PAID if complete and same else Verdict.LOST_SIGHT
        case Outcome.FAILED:
            return _judge_failure(result.reason)
        case Outcome.PENDING | Outcome.UNKNOWN:
            return Verdict.LOST_SIGHT
        case _:
            assert_never(result.outcome)


def _judge_failure(reason: FailReason | None) -> Verdict:
    match reason:
        case FailReason.NOT_ACCEPTED:
            return Verdict.NOT_SENT
        case FailReason.ORDER_CLOSED:
            return Verdict.CLOSED
        # Some order of this number exists there: it must be asked about, never replaced.
        case FailReason.CONFLICT | FailReason.NOT_EXIST | None:
            return Verdict.LOST_SIGHT
        case (
            FailReason.INSUFFICIENT_FUNDS
            | FailReason.AGREEMENT_GONE
            | FailReason.PAYER_LIMIT
            | FailReason.PAYER_BLOCKED
            | FailReason.RISK
            | FailReason.LOT_NOT_LIVE
            | FailReason.MERCHANT
            | FailReason.PARAM
        ):
            return Verdict.DECLINED
        case _:
            assert_never(reason)


@dataclass(frozen=True, slots=True)
class RetryTerms:
    """When declined charges are tried again: days after the business day on which they were due, at a local time."""

    days: Sequence[int]
    local_time: time
    time_zone: ZoneInfo
    day_turn: time


def counts_as_decline(reason: FailReason | None) -> bool:
    """Whether the payer (and not our configuration) is why money did not move."""
    return reason not in _OURS


def next_attempt_at(
    terms: RetryTerms, *, reason: FailReason | None, declined_count: int, due_at: datetime, now: datetime
) -> datetime | None:
    """When a charge is tried again after its `declined_count`-th decline; None when only the driver can pay it."""
    if not counts_as_decline(reason):
        return now + _OURS_WAIT
    if declined_count > len(terms.days):
        return None
    first = business_date(due_at, terms.time_zone, terms.day_turn)
    at = _local(first + timedelta(days=terms.days[declined_count - 1]), terms)
    if at > now:
        return at
    # The channel was down past the planned day: the next such hour, so that nobody is asked twice within one.
    today = now.astimezone(terms.time_zone).date()
    return next(at for days in (0, 1, 2) if (at := _local(today + timedelta(days=days), terms)) > now)


def next_query_at(verdict: Verdict, *, query_count: int, schedule_seconds: Sequence[int], now: datetime) -> datetime:
    """When an attempt without a final answer is asked about again, having been asked about `query_count` times."""
    wait = timedelta(seconds=schedule_seconds[min(query_count, len(schedule_seconds) - 1)])
    return now + (min(wait, _NOT_ACCEPTED_WAIT_MAX) if verdict is Verdict.NOT_SENT else wait)


def _local(day: date, terms: RetryTerms) -> datetime:
    return datetime.combine(day, terms.local_time, tzinfo=terms.time_zone).astimezone(UTC)
