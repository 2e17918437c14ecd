"""What stands around the service goes away: Valkey, the way back to the gate. Uploads go on, and each counts once."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.db.ingest.conftest import Town
from tests.fault_proxy import FaultProxy, LostAnswers, to_port
from tests.gate_log import HOST, NONE, difference, upload_all
from tests.own_valkey import OwnValkey, own_valkey
from tests.serve_process import Service
from tests.street import results, signed

UPLOADS = 12
SCANS = 20
# Of so many tries only the last one's answer comes back.
TRIES = 10


@pytest.fixture
def valkey() -> Iterator[OwnValkey]:
    with own_valkey() as server:
        if server is None:
            pytest.skip("Valkey does not run on this machine")
        yield server


@pytest.fixture
def service(dsn: str, tmp_path: Path, valkey: OwnValkey) -> Iterator[Service]:
    with Service(dsn, tmp_path, PARKFLOW_REDIS_URL=valkey.url) as process:
        process.start()
        yield process


async def test_uploads_go_on_while_valkey_is_emptied_and_killed_and_a_replay_changes_nothing(
    town: Town, service: Service, valkey: OwnValkey
) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        kept = _capture(town)
        assert results(await _send(client, kept)) == ["accepted"]
        assert (await _send(client, kept)).status_code == 401
        usual = await _uploads(client, town)
        assert await valkey.say("FLUSHALL") == "+OK"
        # The nonce is forgotten; that the events are known is not.
        assert results(await _send(client, kept)) == ["duplicate"]
        uploads = asyncio.create_task(_uploads(client, town))
        await asyncio.sleep(0)
        valkey.kill()
        meanwhile = await uploads + await _uploads(client, town)
        later = _capture(town)
        assert results(await _send(client, later)) == ["accepted"]
        assert (await _send(client, later)).status_code == 401
    assert await difference(town.pool, town.logs) == NONE
    print(f"\nslowest upload with Valkey {max(usual) * 1000:.0f} ms, without {max(meanwhile) * 1000:.0f} ms")


async def test_answers_that_are_lost_on_the_way_back_double_nothing(town: Town, service: Service) -> None:
    faults: list[LostAnswers] = []
    answers = 0

    def is_losing() -> bool:
        nonlocal answers
        answers += 1
        return answers % TRIES != 0

    def fault() -> LostAnswers:
        faults.append(LostAnswers(is_losing))
        return faults[-1]

    async with (
        FaultProxy(to_port(service.port), fault).listening() as proxy,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}", timeout=60) as client,
    ):
        log = town.logs[0]
        town.see(log, 5 * SCANS)
        assert set(await upload_all(client, log, batch=SCANS)) == {"duplicate"}
    assert await difference(town.pool, town.logs) == NONE
    sent, needed = sum(fault.request_bytes for fault in faults), _bytes_of(town)
    print(
        f"\n{answers} answers, {answers - answers // TRIES} lost; {sent} bytes sent for {needed} of journal, doubled 0"
    )


async def _uploads(client: httpx.AsyncClient, town: Town) -> list[float]:
    """Each gate sends some batches; the seconds of each. Every one is answered at the first try."""
    loop, seconds = asyncio.get_running_loop(), []
    for _ in range(UPLOADS):
        for log in town.logs[1:]:
            town.see(log, SCANS)
            begun = loop.time()
            assert len(await upload_all(client, log)) == SCANS
            seconds.append(loop.time() - begun)
    return seconds


def _capture(town: Town) -> tuple[str, dict[str, str], bytes]:
    """A signed request that somebody kept, to send it again."""
    log = town.logs[0]
    town.see(log, 1)
    at = datetime.now(UTC)
    body = log.body(len(log.scans), len(log.scans), at=at)
    message = signed(log.gate, "POST", "/scans", body, at)
    return f"/v1/gates/{log.gate.text}/scans", {**message.headers, "Host": HOST}, body


async def _send(client: httpx.AsyncClient, kept: tuple[str, dict[str, str], bytes]) -> httpx.Response:
    path, headers, body = kept
    return await client.post(path, headers=headers, content=body)


def _bytes_of(town: Town) -> int:
    log = town.logs[0]
    at = datetime.now(UTC)
    return sum(len(log.body(first, first + SCANS - 1, at=at)) for first in range(1, len(log.scans), SCANS))
