"""The worker process: leases buckets and runs, in rounds, every step of the pipelines and of the day."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.jobs import progress
from parkflow.jobs.lease import ALL_BUCKETS, Leases, new_owner
from parkflow.jobs.rounds import Rounds, Step, StepKind, Turn
from parkflow.kit.errors import ParkflowError
from parkflow.services import Services

_LOG = logging.getLogger(__name__)
ServiceStep = Callable[[Services, Turn], Awaitable[int]]


STEPS: Final[Sequence[tuple[str, StepKind, ServiceStep]]] = ()
"""What a worker does, in this order: name, how it stands to the day's end, and the work."""


async def run_worker(services: Services, *, buckets_max: int, stop: asyncio.Event) -> None:
    """Work until `stop` is set; holds at most `buckets_max` buckets, so that several workers share all of them."""
    owner = new_owner()
    leases = Leases(owner, timedelta(seconds=services.settings.lease_seconds))
    rounds = Rounds(
        pool=services.pool,
        clock=services.clock,
        owner=owner,
        steps=[Step(name, kind, _bound(services, work)) for name, kind, work in STEPS],
        held=lambda: leases.buckets if leases.are_valid(services.clock.wall()) else [],
        buckets_per_call=services.settings.buckets_per_statement,
        stop=stop,
    )
    async with _tended(services, leases, buckets_max):
        _LOG.info("worker %s works on %d buckets", owner, len(leases.buckets))
        await rounds.run()
    _LOG.info("worker %s has ended", owner)


async def run_until_signal(services: Services, *, buckets_max: int) -> None:
    """Work until SIGTERM or SIGINT; the step at hand is finished first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_worker(services, buckets_max=buckets_max, stop=stop)


@asynccontextmanager
async def _tended(services: Services, leases: Leases, buckets_max: int) -> AsyncIterator[None]:
    """Leases are taken before the block, kept alive beside it, and given up after it."""
    await in_tx(services.pool, lambda conn: _tend(conn, leases, services.clock.wall(), buckets_max))
    tending = asyncio.create_task(_tend_on(services, leases, buckets_max))
    try:
        yield
    finally:
        tending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tending
        async with services.pool.acquire() as conn:
            wall = services.clock.wall()
            await leases.release(conn, wall)
            await progress.forget(conn, owner=leases.owner, wall=wall)


async def _tend_on(services: Services, leases: Leases, buckets_max: int) -> None:
    """Renew at a third of the lifetime, so that two failures in a row lose nothing."""
    while True:
        await asyncio.sleep(leases.lifetime.total_seconds() / 3)
        try:
            await in_tx(services.pool, lambda conn: _tend(conn, leases, services.clock.wall(), buckets_max))
        except (ParkflowError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The leases run out by themselves if this goes on; until then work continues.
            _LOG.warning("leases not renewed: %s", error)


async def _tend(conn: Conn, leases: Leases, wall: datetime, buckets_max: int) -> None:
    lost = await leases.renew(conn, wall)
    if lost:
        _LOG.warning("%d buckets were taken by another worker", len(lost))
    start = 0
    while (room := buckets_max - len(leases.buckets)) > 0 and start < len(ALL_BUCKETS):
        await leases.acquire(conn, wall, ALL_BUCKETS[start : start + room])
        start += room


def _bound(services: Services, work: ServiceStep) -> Callable[[Turn], Awaitable[int]]:
    async def run(turn: Turn) -> int:
        return await work(services, turn)

    return run
