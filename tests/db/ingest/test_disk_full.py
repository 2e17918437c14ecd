"""The database's disk is full: nothing is acknowledged that is not kept, and with room again all goes on by itself."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from parkflow.db.pool import open_pool
from parkflow.kit.clock import SystemClock
from parkflow.servers.client import running_servers
from parkflow.settings import Settings
from tests.db.ingest.conftest import Town, open_town
from tests.edge import services_over
from tests.embedded import stop_keeper
from tests.gate_log import NONE, WAIT_SECONDS, difference, post, upload_all
from tests.serve_process import Service
from tests.small_disk import SmallDisk, small_disk

DISK_BYTES = 320 << 20
LEFT_BYTES = 2 << 20
SCANS = 1_000
REFUSALS = 5
BACK_SECONDS_MAX = 60


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(DISK_BYTES) as mounted:
        if mounted is None:
            pytest.skip("mounting a tmpfs is not allowed here")
        yield mounted


@pytest.fixture
def service(disk: SmallDisk) -> Iterator[Service]:
    """With servers of its own, whose files are on the small disk."""
    data_dir = disk.folder / "parkflow"
    data_dir.mkdir()
    with Service(None, data_dir) as process:
        process.start()
        yield process
    stop_keeper(data_dir)


async def test_a_full_disk_loses_nothing_and_needs_nobody(disk: SmallDisk, service: Service) -> None:
    servers = running_servers(Settings(data_dir=disk.folder / "parkflow"))
    assert servers is not None
    async with (
        open_pool(servers.database_dsn) as pool,
        httpx.AsyncClient(base_url=service.url, timeout=60) as client,
    ):
        town = await open_town(services_over(pool, SystemClock()))
        town.see(town.logs[0], SCANS)
        await upload_all(client, town.logs[0], batch=SCANS)
        disk.fill(but_bytes=LEFT_BYTES)
        answers = await _until_refused(client, town)
        # Its own files, what the database still wants and what is asked of it are refused, not forgotten.
        for log in town.logs:
            answers += await _send(client, town, log.gate.text)
        disk.free()
        begun = asyncio.get_running_loop().time()
        while not (await _send(client, town, town.logs[0].gate.text))[200]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        seconds = asyncio.get_running_loop().time() - begun
        await asyncio.gather(*(upload_all(client, log, batch=SCANS) for log in town.logs))
        async with open_pool(servers.database_dsn) as fresh:
            assert await difference(fresh, town.logs) == NONE
    assert seconds <= BACK_SECONDS_MAX
    events = sum(len(log.scans) for log in town.logs)
    print(f"\nfull disk: answers {dict(answers)}, {events} events, lost 0; back {seconds:.1f} s after space returned")


async def _until_refused(client: httpx.AsyncClient, town: Town) -> Counter[int]:
    """Cars go on passing and gates go on sending, until several of their uploads were refused."""
    answers = Counter[int]()
    async with asyncio.timeout(WAIT_SECONDS):
        while answers[503] < REFUSALS:
            log = town.logs[answers.total() % len(town.logs)]
            town.see(log, SCANS)
            answers += await _send(client, town, log.gate.text)
    return answers


async def _send(client: httpx.AsyncClient, town: Town, gate: str) -> Counter[int]:
    """One try of a gate to send what is not acknowledged; the status of the answer, which says when to try again."""
    [log] = [log for log in town.logs if log.gate.text == gate]
    last = min(log.acked + SCANS, len(log.scans))
    if log.acked == last:
        town.see(log, 1)
        last += 1
    answer = await post(client, log.gate, log.body(log.acked + 1, last, at=town.now))
    if answer.status_code == 200:
        log.acked = answer.json()["acked_seq"]
    else:
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) > 0
    return Counter([answer.status_code])
