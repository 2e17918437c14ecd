"""What is too large, too slow, too deep or no HTTP, from a hundred clients at once: refused by name, in little memory.

All the while the gates of another operator get their answers.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from parkflow.api.connection import HEAD_BYTES_MAX, PIPELINED_MAX
from parkflow.servers import Servers
from parkflow.settings import Settings
from tests.db.ingest.conftest import Town, open_town_at
from tests.embedded import cloned_database, run_apart
from tests.gate_log import post
from tests.raw_http import Raw, connected, head
from tests.serve_process import Service
from tests.street import results

CLIENTS = 100
MEMORY_GROWTH_MAX = 64 << 20
# A stranger's call that has a body and needs no log-in.
BODY_BYTES_MAX = Settings().body_bytes_max
OPEN_PATH = "/v1/driver/one-time-codes"
JSON = ("Content-Type", "application/json")
CHUNKED = ("Transfer-Encoding", "chunked")
BODY_SECONDS = 3
HEAD_SECONDS = 2
Client = Callable[[Raw], Awaitable[int]]


@pytest.fixture(scope="module")
def dsn(servers: Servers) -> Iterator[str]:
    """One database and one service for all tests of this file: they leave nothing behind in either."""
    with cloned_database(servers) as address:
        yield address


@pytest.fixture(scope="module")
def service(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    limits = {"PARKFLOW_BODY_GRACE_SECONDS": str(BODY_SECONDS), "PARKFLOW_HEAD_SECONDS_MAX": str(HEAD_SECONDS)}
    with Service(dsn, tmp_path_factory.mktemp("service"), **limits) as process:
        process.start()
        yield process


@pytest.fixture(scope="module")
def towns(dsn: str) -> tuple[Town, Town]:
    """An honest operator and one whose gates fell into wrong hands."""
    return run_apart(open_town_at(dsn)), run_apart(open_town_at(dsn, name="Uptown"))


@pytest.fixture(scope="module")
def hostile(towns: tuple[Town, Town]) -> Town:
    return towns[1]


@pytest.fixture
async def honest(service: Service, towns: tuple[Town, Town]) -> AsyncIterator[None]:
    """All the while another operator's gate gets its answers, and memory has grown by less than the limit."""
    town = towns[0]
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        await _upload(client, town)
        before, sent, stop = service.memory_bytes(), 0, asyncio.Event()

        async def go_on() -> None:
            nonlocal sent
            while not stop.is_set():
                await _upload(client, town)
                sent += 1
                await asyncio.sleep(0.02)

        going = asyncio.create_task(go_on())
        try:
            yield
        finally:
            stop.set()
            await going
    growth = service.memory_bytes_max() - before
    print(f"\n{sent} honest uploads meanwhile; memory +{max(0, growth) >> 20} MiB")
    assert growth <= MEMORY_GROWTH_MAX


async def _upload(client: httpx.AsyncClient, town: Town) -> None:
    log = town.logs[0]
    town.see(log, 1)
    answer = await post(client, log.gate, log.body(len(log.scans), len(log.scans), at=datetime.now(UTC)))
    assert results(answer) == ["accepted"]


async def _at_once(service: Service, client: Client) -> Counter[int]:
    """How many of a hundred clients got which status."""

    async def one() -> int:
        async with connected(service.port) as raw:
            return await client(raw)

    return Counter(await asyncio.gather(*(one() for _ in range(CLIENTS))))


@pytest.mark.usefixtures("honest")
async def test_a_length_beyond_the_limit_is_refused_before_the_body_is_read(service: Service) -> None:
    loop, seconds = asyncio.get_running_loop(), []

    async def oversize(raw: Raw) -> int:
        await raw.send(head("POST", OPEN_PATH, headers=[JSON, ("Content-Length", str(100 << 20))]))
        begun = loop.time()
        sending = asyncio.create_task(_send_until_refused(raw, b" " * (64 << 10), times=1_600))
        status, body = await raw.answer()
        seconds.append(loop.time() - begun)
        sending.cancel()
        assert json.loads(body)["code"] == "body_too_large"
        assert await raw.is_closed()
        return status

    assert await _at_once(service, oversize) == {413: CLIENTS}
    print(f"\n413 after at most {max(seconds) * 1000:.0f} ms, {CLIENTS} at once")


@pytest.mark.usefixtures("honest")
async def test_a_body_of_no_stated_length_is_refused_when_it_passes_the_limit(service: Service) -> None:
    async def endless(raw: Raw) -> int:
        await raw.send(head("POST", OPEN_PATH, headers=[JSON, CHUNKED]))
        sending = asyncio.create_task(_send_until_refused(raw, b"10000\r\n" + b" " * 65_536 + b"\r\n", times=1_600))
        status, _ = await raw.answer()
        sending.cancel()
        assert await raw.is_closed()
        return status

    statuses = await _at_once(service, endless)
    # Those that find no room for what they send are told to come again.
    assert set(statuses) <= {413, 503}
    assert statuses[413] > 0


@pytest.mark.usefixtures("honest")
async def test_a_stranger_at_a_gates_door_is_refused_before_the_body_is_read(service: Service, hostile: Town) -> None:
    path = f"/v1/gates/{hostile.logs[0].gate.text}/scans"

    async def stranger(raw: Raw) -> int:
        await raw.send(head("POST", path, headers=[JSON, ("Content-Length", str(BODY_BYTES_MAX))]))
        status, _ = await raw.answer()
        return status

    assert await _at_once(service, stranger) == {401: CLIENTS}


@pytest.mark.usefixtures("honest")
async def test_deep_bodies_are_refused_in_little_memory(service: Service, hostile: Town) -> None:
    deep = b'{"scans":' * 40_000

    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits) as client:
        gates = [hostile.logs[number % len(hostile.logs)].gate for number in range(CLIENTS)]
        answers = await asyncio.gather(*(post(client, gate, deep) for gate in gates))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {422, 503}
    assert statuses[422] > 0


@pytest.mark.usefixtures("honest")
async def test_a_body_that_trickles_is_ended(service: Service) -> None:
    async def trickling(raw: Raw) -> int:
        await raw.send(head("POST", OPEN_PATH, headers=[JSON, ("Content-Length", "100000")]))
        sending = asyncio.create_task(_send_until_refused(raw, b" ", times=10_000, pause_seconds=0.1))
        status, _ = await raw.answer()
        sending.cancel()
        assert await raw.is_closed()
        return status

    assert await _at_once(service, trickling) == {408: CLIENTS}


@pytest.mark.usefixtures("honest")
async def test_a_head_that_trickles_or_never_comes_is_ended(service: Service) -> None:
    async def trickling(raw: Raw) -> int:
        sending = asyncio.create_task(_send_until_refused(raw, b"GET / HTTP/1.1\r\n"[:1], times=1))
        status, _ = await raw.answer()
        sending.cancel()
        assert await raw.is_closed()
        return status

    async def silent(raw: Raw) -> int:
        return (await raw.answer())[0]

    both = await asyncio.gather(_at_once(service, trickling), _at_once(service, silent))
    assert list(both) == [{408: CLIENTS}, {408: CLIENTS}]


@pytest.mark.usefixtures("honest")
async def test_a_head_without_end_is_ended(service: Service) -> None:
    async def endless(raw: Raw) -> int:
        await raw.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
        sending = asyncio.create_task(_send_until_refused(raw, b"x" * HEAD_BYTES_MAX, times=1_000))
        status, _ = await raw.answer()
        sending.cancel()
        # The end may come before the answer was read: more was on its way than anybody wants to read.
        return status

    assert set(await _at_once(service, endless)) <= {431, 0}
    async with connected(service.port) as raw:
        await raw.send(head("GET", "/healthz", headers=[("X", "x" * HEAD_BYTES_MAX)]))
        assert (await raw.answer())[0] in (400, 431)


@pytest.mark.usefixtures("honest")
async def test_who_sends_a_thousand_requests_ahead_is_cut_off(service: Service) -> None:
    async def ahead(raw: Raw) -> int:
        await raw.send(head("GET", "/healthz") * 5_000)
        answers = 0
        while (await raw.answer())[0]:
            answers += 1
        return answers

    assert max(await _at_once(service, ahead)) <= PIPELINED_MAX + 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        head("POST", OPEN_PATH, headers=[JSON, ("Content-Length", "2"), ("Content-Length", "3")]) + b"{}x",
        head("POST", OPEN_PATH, headers=[JSON, ("Content-Length", "2"), CHUNKED]) + b"0\r\n\r\n",
        head("POST", OPEN_PATH, headers=[JSON, ("Content-Length", "-1")]),
        head("POST", OPEN_PATH, headers=[JSON, ("Content-Length", "2,2")]) + b"{}",
        head("POST", OPEN_PATH, headers=[JSON, CHUNKED]) + b"zz\r\n{}\r\n0\r\n\r\n",
        head("GET", "/healthz", headers=[("Host", "elsewhere.test")]),
        b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["two lengths", "length and chunks", "negative", "list", "chunk size", "two hosts", "space", "fold", "tls"],
)
async def test_what_two_readers_could_read_differently_is_refused_and_ends_the_connection(
    service: Service, request_bytes: bytes
) -> None:
    async with connected(service.port) as raw:
        await raw.send(request_bytes + head("GET", "/readyz"))
        status, _ = await raw.answer()
        # In the middle of a body there is no answer any more that could not be taken for another one's.
        assert status in (400, 0)
        if request_bytes.count(b"Host") == 2:
            # This one is HTTP, only not ours: it is answered as any other, and so is what follows.
            assert (await raw.answer())[0] == 200
        else:
            assert await raw.is_closed()


async def test_a_body_that_comes_in_one_piece_with_its_head_is_no_part_of_the_head(service: Service) -> None:
    body = b'"' + b"4711" * HEAD_BYTES_MAX + b'"'
    whole = head("POST", OPEN_PATH, headers=[JSON, ("Content-Length", str(len(body)))]) + body
    async with connected(service.port) as raw:
        for _ in range(3):
            await raw.send(whole)
            assert (await raw.answer())[0] == 422


async def test_requests_sent_ahead_are_answered_in_order_and_a_refused_body_is_never_taken_for_one(
    service: Service,
) -> None:
    async with connected(service.port) as raw:
        await raw.send(
            head("POST", OPEN_PATH, headers=[JSON, ("Content-Length", "2")])
            + b"{}"
            + head("GET", "/healthz")
            + head("GET", "/nothing")
        )
        assert [(await raw.answer())[0] for _ in range(3)] == [422, 200, 404]
    hidden = head("GET", "/healthz")
    async with connected(service.port) as raw:
        await raw.send(head("POST", OPEN_PATH, headers=[("Content-Length", str(BODY_BYTES_MAX + 1))]) + hidden)
        assert (await raw.answer())[0] == 413
        assert await raw.is_closed()
    async with connected(service.port) as raw:
        await raw.send(
            head("POST", OPEN_PATH, headers=[("Content-Encoding", "gzip"), ("Content-Length", str(len(hidden)))])
            + hidden
        )
        assert (await raw.answer())[0] == 415
        assert await raw.is_closed()


async def _send_until_refused(raw: Raw, content: bytes, *, times: int, pause_seconds: float = 0) -> None:
    for _ in range(times):
        if not await raw.send(content):
            return
        await asyncio.sleep(pause_seconds)
