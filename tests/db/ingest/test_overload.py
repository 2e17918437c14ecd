"""One operator's gates send several times what the service can take: they are told, and nobody else notices."""

import asyncio
import statistics
from collections.abc import Callable
from pathlib import Path

import httpx

from parkflow.db.conn import Pool
from parkflow.db.pool import open_pool
from parkflow.kit.clock import SystemClock
from tests.db.ingest.conftest import Town, open_town
from tests.edge import services_over
from tests.fault_proxy import FaultProxy, Passing, dsn_through, socket_of, to_socket
from tests.flood import Flood, codes_of
from tests.gate_log import NONE, WAIT_SECONDS, difference, post
from tests.serve_process import Service
from tests.street import results

FLOODING_GATES = 16
SCANS = 50
BATCHES = 4
REFUSED = 60
# So that the database is the narrow place and no fast machine takes it all in.
DATABASE_DELAY_SECONDS = 0.01
QUIET_UPLOADS = 5
MEMORY_GROWTH_MAX = 64 << 20
# Room for four of the flood's batches: what is shown does not depend on how much that is.
SMALL = {
    "PARKFLOW_INGEST_QUEUE_SCANS_MAX": str(4 * SCANS),
    "PARKFLOW_INGEST_FLUSH_SCANS_MAX": str(SCANS),
}


async def test_a_flood_is_told_to_wait_and_another_operators_gates_are_served(dsn: str, tmp_path: Path) -> None:
    slow = FaultProxy(to_socket(socket_of(dsn)), Passing, answer_delay_seconds=DATABASE_DELAY_SECONDS)
    async with open_pool(dsn) as pool, slow.listening():
        services = services_over(pool, SystemClock())
        quiet, loud = await open_town(services), await open_town(services, name="Uptown", gates=FLOODING_GATES)
        flood = Flood(loud.logs, codes_of(loud.driver, SCANS), SCANS, batches=BATCHES)
        limits = httpx.Limits(max_connections=100, keepalive_expiry=2)
        with Service(dsn_through(dsn, slow.port), tmp_path, **SMALL) as service:
            await asyncio.to_thread(service.start)
            async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits) as client:
                usual = await _serve_quietly(client, quiet)
                before = service.memory_bytes()
                flooding = asyncio.create_task(flood.run(client))
                await _until(lambda: flood.refused > 0 or flooding.done())
                meanwhile = await _serve_quietly(client, quiet)
                await _until(lambda: flood.refused >= REFUSED or flooding.done())
                flood.is_on = False
                await flooding
                growth = service.memory_bytes_max() - before
                afterwards = await _serve_quietly(client, quiet)
                assert await _kept(pool, loud) >= sum(log.acked for log in loud.logs)
        assert await difference(pool, quiet.logs) == NONE
    assert growth <= MEMORY_GROWTH_MAX
    shown = [f"{statistics.median(seconds) * 1000:.0f} ms" for seconds in (usual, meanwhile, afterwards)]
    print(f"\nflood: {dict(flood.statuses)}, memory +{max(0, growth) >> 20} MiB; the other operator's median {shown}")


async def _kept(pool: Pool, town: Town) -> int:
    async with pool.acquire() as conn:
        found: int = await conn.fetchval(
            "select count(*) from gate_event where gate_id = any($1::bigint[])", [log.gate.gate_id for log in town.logs]
        )
    return found


async def _serve_quietly(client: httpx.AsyncClient, town: Town) -> list[float]:
    """Uploads of an operator that sends little: each is taken at the first try. Their seconds."""
    loop, seconds = asyncio.get_running_loop(), []
    log = town.logs[0]
    for _ in range(QUIET_UPLOADS):
        town.see(log, 2)
        begun = loop.time()
        answer = await post(client, log.gate, log.body(log.acked + 1, len(log.scans), at=town.now))
        seconds.append(loop.time() - begun)
        assert results(answer) == ["accepted"] * 2
        log.acked = answer.json()["acked_seq"]
    return seconds


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
