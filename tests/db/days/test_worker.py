"""The worker as a whole: one run takes a stay to its money and a day to its end, and two share or take over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from parkflow.card_return import service as returns
from parkflow.db.tx import in_tx
from parkflow.jobs import progress
from parkflow.worker import run_worker
from tests import seed
from tests.day_world import World


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 (what is waited for happens in the database)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def working(world: World, *, buckets_max: int = 1024, workers: int = 1) -> AsyncIterator[None]:
    """Workers beside the test; they end cleanly with the block."""
    async with world.pool.acquire() as conn:
        await world.leases.release(conn, world.clock.wall())
    stop = asyncio.Event()
    running = [
        asyncio.create_task(run_worker(world.services, buckets_max=buckets_max, stop=stop)) for _ in range(workers)
    ]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*running)


async def caught_up(world: World, instant: datetime) -> None:
    async def reached() -> bool:
        async with world.pool.acquire() as conn:
            at = await progress.reached(conn, wall=world.clock.wall())
        return at is not None and at >= instant

    await until(reached)


async def test_a_worker_takes_a_day_from_its_stays_to_its_end(world: World) -> None:
    rich, poor = await world.driver("rich", 5_000), await world.driver("poor", 0)
    for driver in (rich, poor):
        await world.park(driver.card_id, 900)
    async with working(world):
        await caught_up(world, world.now)
        assert await world.funds(rich) == 4_100
        await caught_up(world, world.advance(days=1))
        assert await world.value("select count(*) from business_day where state = 'closed'") == 1
        assert await world.card_state(poor.card_id) == "frozen"
        await world.top_up(poor, 900)
        await caught_up(world, world.advance(days=7))
        assert await world.card_state(poor.card_id) == "active", "the planned retry took it"
        assert await world.value("select count(*) from business_day where state = 'closed'") == 8
    assert await world.value("select count(*) from worker_progress") == 0, "a worker that ended is no lag"


async def test_a_worker_completes_a_return(world: World) -> None:
    driver = await world.driver("w", 0)
    await in_tx(
        world.pool,
        lambda conn: returns.request(
            conn, account_id=driver.account_id, card_id=driver.card_id, now=world.now, wait=timedelta(hours=72)
        ),
    )
    async with working(world):
        await world.gate_told(world.now)
        await caught_up(world, world.advance(hours=72))
    assert await world.card_state(driver.card_id) == "returned"
    assert await world.funds(driver) == seed.DEPOSIT_MINOR


async def test_two_workers_share_the_buckets_and_do_everything_once(world: World) -> None:
    drivers = [await world.driver(f"w{number}", 5_000) for number in range(8)]
    for driver in drivers:
        await world.park(driver.card_id, 900)
    async with working(world, buckets_max=512, workers=2):
        await caught_up(world, world.advance(days=1))
        live = "select count(distinct owner) from bucket_lease where expires_at > $1"
        assert await world.value(live, world.clock.wall()) == 2
        await until(lambda: is_closed(world))
    assert [await world.funds(driver) for driver in drivers] == [4_100] * 8
    assert await world.value("select count(*) from attempt where purpose = 'deduct'") == 8


async def is_closed(world: World) -> bool:
    return bool(await world.value("select exists (select from business_day where state = 'closed')"))
