"""The worker process: leases buckets and runs, in rounds, every step of the pipelines and of the day."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import asyncpg

from parkflow.adjustment import service as adjustments
from parkflow.arrears import service as arrears
from parkflow.card_return import service as returns
from parkflow.charge import deduct, query
from parkflow.charge import service as charges
from parkflow.cutoff import service as cutoff
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.gate import bundle, pressure
from parkflow.jobs import progress
from parkflow.jobs.lease import ALL_BUCKETS, Leases, new_owner
from parkflow.jobs.rounds import Rounds, Step, StepKind, Turn
from parkflow.jobs.way import Way
from parkflow.kit.collector import settle_collector
from parkflow.kit.errors import ParkflowError
from parkflow.notice import service as notices
from parkflow.notice.sender import LogSender
from parkflow.parking import missing, sightings
from parkflow.parking import service as parking
from parkflow.refund import service as refunds
from parkflow.services import Services
from parkflow.views import due

# How soon a worker that has room takes over what another one left.
_LOOK_SECONDS: Final = 1
_LOG = logging.getLogger(__name__)
ServiceStep = Callable[[Services, Turn], Awaitable[int]]


async def _match_sightings(services: Services, turn: Turn) -> int:
    return await in_tx(
        services.pool,
        lambda conn: sightings.match(conn, owner=turn.owner, buckets=turn.buckets, now=turn.now),
    )


async def _apply(services: Services, turn: Turn) -> int:
    done = await in_tx(
        services.pool,
        lambda conn: parking.apply(conn, owner=turn.owner, buckets=turn.buckets, now=turn.now),
    )
    return sum(done)


async def _give_up(services: Services, turn: Turn) -> int:
    return await in_tx(
        services.pool,
        lambda conn: parking.give_up(conn, owner=turn.owner, buckets=turn.buckets, now=turn.now),
    )


async def _charge(services: Services, turn: Turn) -> int:
    delay = services.settings.deduct_delay_seconds
    return await in_tx(
        services.pool,
        lambda conn: charges.raise_for_priced(conn, turn.buckets, now=turn.now, deduct_delay_seconds=delay),
    )


async def _adjust(services: Services, turn: Turn) -> int:
    return await in_tx(
        services.pool,
        lambda conn: adjustments.adjust(
            conn, owner=turn.owner, buckets=turn.buckets, settings=services.settings, now=turn.now
        ),
    )


async def _deduct(services: Services, turn: Turn) -> int:
    return await deduct.run(services, owner=turn.owner, buckets=turn.buckets, now=turn.now)


async def _query(services: Services, turn: Turn) -> int:
    return await query.run(services, owner=turn.owner, buckets=turn.buckets, now=turn.now)


async def _refund(services: Services, turn: Turn) -> int:
    return await refunds.run(services, owner=turn.owner, buckets=turn.buckets, now=turn.now)


async def _clear_arrears(services: Services, turn: Turn) -> int:
    return await in_tx(services.pool, lambda conn: arrears.clear_paid(conn, buckets=turn.buckets, now=turn.now))


async def _advance_returns(services: Services, turn: Turn) -> int:
    return await returns.advance(services, buckets=turn.buckets, now=turn.now)


async def _close_days(services: Services, turn: Turn) -> int:
    async with services.pool.acquire() as conn:
        due = await cutoff.due(conn, now=turn.now)
        wall = services.clock.wall()
        # The work of a day is spread over all workers: it ends when each of them has done what was due in it.
        ready = [
            day for day in due if await progress.others_reached(conn, owner=turn.owner, instant=day.ended_at, wall=wall)
        ]
    for day in ready:
        closed = await cutoff.close_day(services, operator_id=day.operator_id, day=day.day, now=turn.now)
        _LOG.info("operator %d: day %s closed, sha256 %s", day.operator_id, day.day, closed.sha256.hex())
    return len(ready)


async def _tell_missing(services: Services, turn: Turn) -> int:
    return await in_tx(
        services.pool,
        lambda conn: missing.tell(conn, services.vault, owner=turn.owner, buckets=turn.buckets, now=turn.now),
    )


async def _refresh_bundles(services: Services, turn: Turn) -> int:
    return await in_tx(services.pool, lambda conn: bundle.refresh_all(conn, services.vault, now=turn.now))


async def _send_notices(services: Services, turn: Turn) -> int:
    return await notices.send_due(services.pool, services.vault, LogSender(), buckets=turn.buckets, now=turn.now)


# One lane waits for Postgres while the other computes; more would only wait for each other on the machines we know.
_LANES: Final = {"apply": 2, "charge": 2}
# What follows from scans in bulk: the gates whose scans they are wait for an answer, and nobody for these.
_MAY_WAIT: Final = frozenset({"match_sightings", "apply", "give_up", "charge", "adjust"})

STEPS: Final[Sequence[tuple[str, StepKind, ServiceStep, timedelta]]] = (
    # Before the stays: what a sighting turns out to be is a scan like any other.
    ("match_sightings", StepKind.DAY_WORK, _match_sightings, timedelta()),
    ("apply", StepKind.DAY_WORK, _apply, timedelta()),
    ("give_up", StepKind.DAY_WORK, _give_up, timedelta(minutes=10)),
    ("charge", StepKind.DAY_WORK, _charge, timedelta()),
    ("adjust", StepKind.DAY_WORK, _adjust, timedelta()),
    ("deduct", StepKind.DAY_WORK, _deduct, timedelta()),
    ("query", StepKind.DAY_WORK, _query, timedelta()),
    ("refund", StepKind.DAY_WORK, _refund, timedelta()),
    ("clear_arrears", StepKind.DAY_WORK, _clear_arrears, timedelta()),
    ("advance_returns", StepKind.DAY_WORK, _advance_returns, timedelta()),
    ("close_days", StepKind.DAY_END, _close_days, timedelta()),
    # A freeze reaches gates that are online within a minute: half of it here, half for their own asking.
    ("refresh_bundles", StepKind.SIDE_WORK, _refresh_bundles, timedelta(seconds=30)),
    ("tell_missing", StepKind.SIDE_WORK, _tell_missing, timedelta(minutes=1)),
    ("send_notices", StepKind.SIDE_WORK, _send_notices, timedelta()),
)
"""What a worker does, in this order: name, how it stands to the day's end, the work, how long it rests when idle."""


async def _idle(services: Services, turn: Turn) -> frozenset[str]:
    async with services.pool.acquire() as conn:
        return due.STEPS - await due.due_steps(conn, owner=turn.owner, buckets=turn.buckets, now=turn.now)


async def _is_pressed(services: Services) -> bool:
    async with services.pool.acquire() as conn:
        return await pressure.is_pressed(conn, wall=services.clock.wall())


async def run_worker(services: Services, *, buckets_max: int, stop: asyncio.Event) -> None:
    """Work until `stop` is set; holds at most `buckets_max` buckets, so that several workers share all of them."""
    owner = new_owner()
    leases = Leases(owner, timedelta(seconds=services.settings.lease_seconds))
    rounds = Rounds(
        pool=services.pool,
        clock=services.clock,
        owner=owner,
        steps=[
            Step(name, kind, partial(work, services), every, _LANES.get(name, 1), name in _MAY_WAIT)
            for name, kind, work, every in STEPS
        ],
        held=lambda: leases.buckets if leases.are_valid(services.clock.wall()) else [],
        buckets_per_call=services.settings.buckets_per_statement,
        idle=partial(_idle, services),
        way=Way(services.clock, partial(_is_pressed, services), services.settings.worker_gives_way_seconds),
        stop=stop,
    )
    async with _tended(services, leases, buckets_max):
        _LOG.info("worker %s works on %d buckets", owner, len(leases.buckets))
        await rounds.run()
    _LOG.info("worker %s has ended", owner)


async def run_until_signal(services: Services, *, buckets_max: int) -> None:
    """Work until SIGTERM or SIGINT; the step at hand is finished first.

    The process gives way to others on the same machine: a gate waits for the answer to its upload, and nobody waits for
    a stay to be priced within the second.
    """
    os.nice(services.settings.worker_niceness)
    stop = asyncio.Event()
    settle_collector()
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
    """Renew at a third of the lifetime, so that two failures in a row lose nothing; look sooner while there is room."""
    while True:
        third = leases.lifetime.total_seconds() / 3
        await asyncio.sleep(third if len(leases.buckets) >= buckets_max else min(third, _LOOK_SECONDS))
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
