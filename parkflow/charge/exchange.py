"""Calling channels: cards side by side, one card's orders in turn, answers written down as they come."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parkflow.channel.port import Result
from parkflow.charge import settle
from parkflow.charge.settle import Settled
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.jobs.failpoint import failpoint
from parkflow.services import Services

CALLS_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Call:
    """One conversation about one order; `card_id` is whose wallet it touches."""

    card_id: int
    make: Callable[[], Awaitable[Result]]


async def exchange(services: Services, calls: Iterable[Call], *, now: datetime) -> list[Result]:
    """Make the calls and record what is heard; the results, in the order in which they came.

    A card's orders never overlap, so that which of them a short wallet pays does not depend on luck.
    """
    chains: dict[int, list[Call]] = defaultdict(list)
    for call in calls:
        chains[call.card_id].append(call)
    answers: asyncio.Queue[Result | None] = asyncio.Queue()
    free = asyncio.Semaphore(CALLS_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        recording = group.create_task(_record_until_none(services, answers, now=now))
        async with asyncio.TaskGroup() as callers:
            for chain in chains.values():
                callers.create_task(_call_in_turn(chain, free, answers))
        answers.put_nowait(None)
    return recording.result()


async def record(services: Services, results: Sequence[Result], *, now: datetime) -> Settled:
    """Write answers down in a transaction of their own."""

    async def work(conn: Conn) -> Settled:
        return await settle.record_results(conn, results, settings=services.settings, now=now)

    settled = await in_tx(services.pool, work)
    failpoint("deduct.recorded")
    return settled


async def _call_in_turn(chain: Sequence[Call], free: asyncio.Semaphore, answers: asyncio.Queue[Result | None]) -> None:
    for call in chain:
        async with free:
            answers.put_nowait(await call.make())


async def _record_until_none(
    services: Services, answers: asyncio.Queue[Result | None], *, now: datetime
) -> list[Result]:
    results: list[Result] = []
    while True:
        # What has come while the last lot was written is written together.
        batch = [await answers.get()]
        while not answers.empty():
            batch.append(answers.get_nowait())
        heard = [result for result in batch if result is not None]
        if heard:
            failpoint("deduct.answered")
            await record(services, heard, now=now)
            results += heard
        if None in batch:
            return results
