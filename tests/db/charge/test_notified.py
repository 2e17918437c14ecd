"""The channel's own notifications, over a real socket into the real API, settle orders without any query."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from gate_sim.channel.plan import Plan, notification_delays_seconds
from parkflow.app import create_app
from parkflow.db.conn import Pool
from parkflow.services import Services
from tests.held_clock import HeldClock
from tests.till import Till, open_till


@asynccontextmanager
async def _serving(services: Services, port: int) -> AsyncIterator[None]:
    config = uvicorn.Config(create_app(services), port=port, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    # The test's own signals stay its own.
    task = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn says it by a flag
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def _until_paid(till: Till, charge_id: int) -> None:
    while await till.state(charge_id) != "paid":  # noqa: ASYNC110 - another process tells the database
        await asyncio.sleep(0.02)


async def test_a_lost_answer_is_made_good_by_the_notification(pool: Pool, clock: HeldClock, tmp_path: Path) -> None:
    told = [f"w{n}" for n in range(60) if notification_delays_seconds(7, "order", wallet=f"w{n}", place=1)[:1] == (1,)]
    port = _free_port()
    url = f"http://127.0.0.1:{port}/v1/channels/sim/notifications"
    async with open_till(pool, clock, tmp_path, notify_url=url) as till, _serving(till.services, port):
        await till.furnish()
        plans = (Plan.TIMEOUT_AFTER, Plan.ERROR_AFTER, Plan.OK, Plan.PENDING)
        ids = [await till.charge(await till.driver(told[place], 600, plan)) for place, plan in enumerate(plans)]
        await till.deduct()
        clock.advance(minutes=5)
        async with asyncio.timeout(20):
            await asyncio.gather(*(_until_paid(till, charge_id) for charge_id in ids))
        assert await till.value("select max(query_count) from attempt") == 1
        assert await till.value("select count(*) from ledger_transfer where code = 'charge_paid'") == 4
        await till.check_books()
