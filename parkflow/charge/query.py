"""Asking about attempts without a final answer, until there is one.

The same number is asked about, and where the channel has never seen it the same bytes are sent again; no other way
leads out of *unknown*. Attempts that a dead worker left behind are taken up by whoever has its buckets now.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from parkflow.channel.port import Channel, FailReason, Result
from parkflow.charge import store
from parkflow.charge.exchange import Call, exchange
from parkflow.charge.orders import EDGE_OWNER, IN_FLIGHT_MAX
from parkflow.charge.state import AttemptState
from parkflow.charge.store import OpenAttempt
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.services import Services

BATCH_MAX: Final = 500


async def run(services: Services, *, owner: str, buckets: Sequence[int], now: datetime) -> int:
    """Ask about what is due to be asked about in these buckets; how many attempts that were."""

    async def take(conn: Conn) -> list[OpenAttempt]:
        due = await store.open_attempts(
            conn, owner=owner, buckets=buckets, now=now, edge_owner=EDGE_OWNER, limit=BATCH_MAX
        )
        return await _take_over(services, conn, due, owner=owner, now=now)

    return await _ask_all(services, await in_tx(services.pool, take), now=now)


async def resolve(services: Services, charge_ids: Sequence[int], *, owner: str, now: datetime) -> int:
    """Ask at once about whatever lives of these charges; how many attempts that were."""

    async def take(conn: Conn) -> list[OpenAttempt]:
        return await _take_over(services, conn, await store.live_attempts(conn, charge_ids), owner=owner, now=now)

    return await _ask_all(services, await in_tx(services.pool, take), now=now)


async def _take_over(
    services: Services, conn: Conn, attempts: Sequence[OpenAttempt], *, owner: str, now: datetime
) -> list[OpenAttempt]:
    reachable = [one for one in attempts if one.channel in services.channels]
    taken = await store.take_over_attempts(conn, reachable, owner=owner, now=now, look_again_at=now + IN_FLIGHT_MAX)
    return [one for one in reachable if one.order_no in taken]


async def _ask_all(services: Services, attempts: Sequence[OpenAttempt], *, now: datetime) -> int:
    calls = [Call(one.card_id, partial(_ask, services.channels[one.channel], one)) for one in attempts]
    if calls:
        await exchange(services, calls, now=now)
    return len(calls)


async def _ask(channel: Channel, attempt: OpenAttempt) -> Result:
    """What became of an attempt. Its number and bytes are sent again unchanged, which cannot make a second order."""
    if attempt.state == AttemptState.RECORDED:
        return await channel.deduct(attempt.order_no, attempt.request)
    answer = await channel.query(attempt.order_no)
    if answer.reason is FailReason.NOT_EXIST:
        return await channel.deduct(attempt.order_no, attempt.request)
    return answer
