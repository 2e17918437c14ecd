"""Every refusal of the API is a problem document (RFC 9457) with a stable code, and repeats nothing that was sent."""

from collections.abc import AsyncIterator

import httpx
import pytest

from parkflow.db.conn import Pool
from parkflow.db.pool import open_pool
from parkflow.settings import Settings
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock

CODES_PATH = "/v1/driver/one-time-codes"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def client(pool: Pool, clock: HeldClock) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(services_over(pool, clock)) as opened:
        yield opened


def check_problem(answer: httpx.Response, *, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(problem)
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"/problems/{code}")
    assert problem["detail"]
    assert "\n" not in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/nothing", None, 404, "not_found"),
        ("GET", "/v1/driver/nothing", None, 404, "not_found"),
        ("PUT", CODES_PATH, b"{}", 405, "method_not_allowed"),
        ("POST", CODES_PATH, b"{", 400, "malformed_json"),
        ("POST", CODES_PATH, b"\xff\xfe", 400, "malformed_json"),
        ("POST", CODES_PATH, b"", 422, "invalid_request"),
        ("POST", CODES_PATH, b"[]", 422, "invalid_request"),
        ("POST", CODES_PATH, b'{"phone": 7}', 422, "invalid_request"),
        ("POST", CODES_PATH, b'{"phone": "+14345550177", "secret": "4711"}', 422, "invalid_request"),
        ("POST", CODES_PATH, b'{"phone": "4711"}', 422, "invalid_phone"),
        ("POST", CODES_PATH, b"[" * 100_000, 400, "malformed_request"),
        ("POST", CODES_PATH, b'"' + b"4711" * (Settings().body_bytes_max // 4) + b'"', 413, "body_too_large"),
        ("GET", "/v1/driver/cards", None, 401, "session_refused"),
        ("GET", "/v1/driver/stays?limit=0", None, 401, "session_refused"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    client: httpx.AsyncClient, method: str, path: str, content: bytes | None, status: int, code: str
) -> None:
    answer = await client.request(method, path, content=content, headers=JSON)
    check_problem(answer, status=status, code=code)
    assert "4711" not in answer.text


async def test_a_body_is_measured_while_it_comes_when_its_length_is_not_stated(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    check_problem(await client.post(CODES_PATH, content=endless(), headers=JSON), status=413, code="body_too_large")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip"])
async def test_a_compressed_body_is_refused_unread(client: httpx.AsyncClient, encoding: str) -> None:
    answer = await client.post(CODES_PATH, content=b"x", headers=JSON | {"content-encoding": encoding})
    check_problem(answer, status=415, code="unsupported_content_encoding")


async def test_a_lost_database_is_a_503_that_may_be_tried_again(clock: HeldClock) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    async with open_pool(nowhere, size_min=0) as pool, client_of(services_over(pool, clock)) as client:
        for answer in (await client.get("/readyz"), await client.post(CODES_PATH, json={"phone": "+14345550177"})):
            check_problem(answer, status=503, code="database_unavailable")
            assert answer.headers["retry-after"] == "1"
        assert (await client.get("/healthz")).json() == {"status": "up"}


async def test_a_database_without_all_migrations_is_not_ready(pool: Pool, client: httpx.AsyncClient) -> None:
    async with pool.acquire() as conn:
        await conn.execute("delete from schema_migration where version = (select max(version) from schema_migration)")
        check_problem(await client.get("/readyz"), status=503, code="migrations_missing")
        await conn.execute("drop table schema_migration")
    check_problem(await client.get("/readyz"), status=503, code="migrations_missing")


async def test_a_defect_is_a_500_that_tells_nothing(pool: Pool, client: httpx.AsyncClient) -> None:
    async with pool.acquire() as conn:
        await conn.execute("alter table one_time_code rename to gone")
    answer = await client.post(CODES_PATH, json={"phone": "+14345550177"})
    check_problem(answer, status=500, code="internal_error")
    assert "one_time_code" not in answer.text


async def test_requests_are_counted_by_route_and_never_by_path(client: httpx.AsyncClient) -> None:
    await client.get("/v1/driver/cards/card_0000000000000")
    await client.get("/some/scanner/path")
    text = (await client.get("/metrics")).text
    assert 'route="/v1/driver/cards/{card}",status="401"' in text
    assert "scanner" not in text
    assert "card_0000000000000" not in text
