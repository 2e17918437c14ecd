"""Deducting: charges that are due are tried once, each under a number and with bytes that are committed beforehand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from parkflow.charge import orders, store
from parkflow.charge.exchange import Call, exchange, record
from parkflow.charge.orders import Recorded
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.jobs.failpoint import failpoint
from parkflow.services import Services

BATCH_MAX: Final = 500


async def run(services: Services, *, owner: str, buckets: Sequence[int], now: datetime) -> int:
    """Try what is due in these buckets, at most BATCH_MAX charges; how many attempts were made."""
    recorded = await in_tx(services.pool, partial(_claim, services, owner=owner, buckets=buckets, now=now))
    if not recorded:
        return 0
    failpoint("deduct.claimed")
    await send(services, recorded, owner=owner, now=now)
    return len(recorded)


async def send(services: Services, recorded: Sequence[Recorded], *, owner: str, now: datetime) -> None:
    """Send what is on record, and write the answers down; what our own rules refuse is ended without a byte."""
    refused = [one.result for one in recorded if one.refusal is not None]
    if refused:
        await record(services, refused, now=now)
    sendable = [one for one in recorded if one.refusal is None]

    async def mark(conn: Conn) -> list[Recorded]:
        return await orders.mark_sent(conn, sendable, owner=owner, now=now)

    sent = await in_tx(services.pool, mark)
    failpoint("deduct.sent")
    await exchange(services, [_call(services, one) for one in sent], now=now)


async def _claim(
    services: Services, conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime
) -> list[Recorded]:
    due = await store.due_charges(conn, owner=owner, buckets=buckets, now=now, limit=BATCH_MAX)
    if not due:
        return []
    over = await orders.over_ceiling(conn, due, settings=services.settings, now=now)
    if over:
        await store.postpone_charges(conn, sorted(over), now + timedelta(days=1))
    due = [charge for charge in due if charge.charge_id not in over]
    return await orders.record(services, conn, due, purpose="deduct", owner=owner, now=now)


def _call(services: Services, one: Recorded) -> Call:
    channel = services.channels[one.draft.channel]
    return Call(one.draft.charge.card_id, partial(channel.deduct, one.draft.order_no, one.draft.request))
