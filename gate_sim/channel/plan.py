"""What the channel does with an order, decided by a seed: answers, faults, and the fate of notifications.

A plan depends on (seed, wallet, n-th new order of that wallet) and never on the time of arrival, so the same seed gives
the same outcomes however requests interleave.
"""

import hashlib
from enum import StrEnum
from typing import Final


class Plan(StrEnum):
    """What happens to the first arrival of an order; later arrivals of the same bytes get the true state."""

    OK = "ok"  # paid when the wallet has the money, else declined
    INSUFFICIENT = "insufficient"  # declined although the wallet may have the money
    TIMEOUT_BEFORE = "timeout_before"  # no effect, no answer
    TIMEOUT_AFTER = "timeout_after"  # effect, no answer
    ERROR_BEFORE = "error_before"  # no effect, 500
    ERROR_AFTER = "error_after"  # effect, 500
    TRUNCATED = "truncated"  # effect, half an answer
    UNSIGNED = "unsigned"  # effect, an answer that nobody signed
    PENDING = "pending"  # accepted, decided some seconds later
    PENDING_DECLINED = "pending_declined"  # accepted, declined some seconds later


# Out of 10,000 new orders; what is left over is OK.
_ORDER_SHARES: Final = (
    (Plan.INSUFFICIENT, 300),
    (Plan.TIMEOUT_BEFORE, 200),
    (Plan.TIMEOUT_AFTER, 250),
    (Plan.ERROR_BEFORE, 100),
    (Plan.ERROR_AFTER, 200),
    (Plan.TRUNCATED, 50),
    (Plan.UNSIGNED, 50),
    (Plan.PENDING, 300),
    (Plan.PENDING_DECLINED, 100),
)
_REFUND_SHARES: Final = (
    (Plan.TIMEOUT_BEFORE, 500),
    (Plan.TIMEOUT_AFTER, 500),
    (Plan.ERROR_AFTER, 300),
)
_WHOLE: Final = 10_000


def order_plan(seed: int, *, wallet: str, place: int) -> Plan:
    """The plan of the wallet's n-th new order (from 1)."""
    return _pick(_ORDER_SHARES, _draw(seed, "order", wallet, str(place)))


def refund_plan(seed: int, *, wallet: str, place: int) -> Plan:
    """The plan of the wallet's n-th refund (from 1); refunds never lack money, only answers."""
    return _pick(_REFUND_SHARES, _draw(seed, "refund", wallet, str(place)))


def pending_seconds(seed: int, *, wallet: str, place: int) -> int:
    """How long an accepted order stays undecided: 2 to 121 s."""
    return 2 + _draw(seed, "pending", wallet, str(place)) % 120


def notification_delays_seconds(seed: int, kind: str, *, wallet: str, place: int) -> tuple[int, ...]:
    """When the copies of an outcome's notification are sent, after the outcome; empty when it is lost."""
    draw = _draw(seed, "notify", kind, wallet, str(place))
    share, rest = draw % 100, draw // 100
    if share < 4:
        return ()
    if share < 9:
        return (600 + rest % 10_000,)
    if share < 18:
        return (1, 1, 30)[: 2 + rest % 2]
    return (1,)


def channel_number(seed: int, kind: str, number: str) -> str:
    """The channel's own number of an order, refund or agreement: 24 hex digits that the seed and our number decide."""
    return _digest(seed, kind, number).hex()[:24]


def _pick(shares: tuple[tuple[Plan, int], ...], draw: int) -> Plan:
    place = draw % _WHOLE
    for plan, share in shares:
        if place < share:
            return plan
        place -= share
    return Plan.OK


def _draw(seed: int, *parts: str) -> int:
    return int.from_bytes(_digest(seed, *parts)[:8], "big")


def _digest(seed: int, *parts: str) -> bytes:
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).digest()
