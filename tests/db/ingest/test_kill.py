"""kill -9 of the service at every step of an upload: the gates send again, and each event is there once."""

import asyncio
import contextlib
import signal

import httpx

from tests.db.ingest.conftest import Town
from tests.gate_log import NONE, difference, upload_all, upload_once
from tests.serve_process import Service

POINTS = (
    "ingest.read",
    "ingest.parsed",
    "ingest.inserted",
    "ingest.before_commit",
    "ingest.committed",
    "ingest.answered",
)
SCANS = 20
# Each process is also the restart after the kill before it: what was not acknowledged comes again and goes through
# before it is its turn.
PASS = 10


async def test_a_service_killed_at_any_step_of_an_upload_loses_nothing_and_doubles_nothing(
    town: Town, service: Service
) -> None:
    seconds = []
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        service.start({"PARKFLOW_FAILPOINT": f"{POINTS[0]}:kill9:{PASS}"})
        for point, following in zip(POINTS, [*POINTS[1:], "none"], strict=True):
            uploads = asyncio.gather(*(_pass_until_ended(client, town, number, service) for number in range(4)))
            await uploads
            assert service.collect() == -signal.SIGKILL, point
            begun = asyncio.get_running_loop().time()
            service.start({"PARKFLOW_FAILPOINT": f"{following}:kill9:{PASS}"})
            await upload_all(client, town.logs[0])
            seconds.append(asyncio.get_running_loop().time() - begun)
            await asyncio.gather(*(upload_all(client, log) for log in town.logs))
            assert await difference(town.pool, town.logs) == NONE, point
    print(f"\nkill to first 200: {', '.join(f'{each:.2f}' for each in seconds)} s")
    print(f"events: {sum(len(log.scans) for log in town.logs)}, lost 0, doubled 0")


async def _pass_until_ended(client: httpx.AsyncClient, town: Town, number: int, service: Service) -> None:
    """Cars pass and the gate sends, until the service is gone in the middle of it."""
    log = town.logs[number]
    while not service.has_ended():
        town.see(log, SCANS)
        with contextlib.suppress(httpx.TransportError):
            await upload_once(client, log)
