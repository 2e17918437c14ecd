"""Pure rules of giving money back: refund numbers, what an answer means, when to ask again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, assert_never

from parkflow.channel.port import FailReason, Outcome, Result

_WHOLE: Final = "R"
_CORRECTION: Final = "C"
# The merchant account may lack the money today; the same number is asked for again.
_LACKING_WAIT: Final = timedelta(hours=1)


def whole_refund_number(order_no: str) -> str:
    """The number under which all of an order goes back (a deposit, or a surplus)."""
    return f"{_WHOLE}{order_no}"


def correction_number(order_no: str, count: int) -> str:
    """The number of an order's `count`-th partial refund, counted from 1."""
    return f"{_CORRECTION}{count:02d}{order_no}"


def order_of_refund(refund_no: str) -> str:
    """The order number inside a refund number of ours."""
    return refund_no[3:] if refund_no.startswith(_CORRECTION) else refund_no[1:]


class Verdict(Enum):
    """What an answer does to its refund."""

    REFUNDED = "refunded"
    REFUSED = "refused"  # a person has to look
    LOST_SIGHT = "lost_sight"
    NOT_SENT = "not_sent"


def judge(result: Result, *, amount_minor: int) -> Verdict:
    """What an answer means for a refund of this amount."""
    match result.outcome:
        case Outcome.SUCCEEDED:
            complete = result.paid_at is not None and result.amount_minor == amount_minor
            return Verdict.REFUNDED if complete else Verdict.LOST_SIGHT
        case Outcome.FAILED if result.reason is FailReason.NOT_ACCEPTED:
            return Verdict.NOT_SENT
        case Outcome.FAILED if result.reason in (FailReason.CONFLICT, FailReason.NOT_EXIST, None):
            return Verdict.LOST_SIGHT
        case Outcome.FAILED:
            return Verdict.REFUSED
        case Outcome.PENDING | Outcome.UNKNOWN:
            return Verdict.LOST_SIGHT
        case _:
            assert_never(result.outcome)


def next_try_at(*, try_count: int, schedule_seconds: Sequence[int], now: datetime) -> datetime:
    """When a refund without a final answer is asked about or sent again, having been tried `try_count` times."""
    place = min(max(try_count - 1, 0), len(schedule_seconds) - 1)
    return now + min(timedelta(seconds=schedule_seconds[place]), _LACKING_WAIT)
