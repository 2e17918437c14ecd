"""The HTTP client: kept connections, and what it says when there is no answer."""

import asyncio
import contextlib

import pytest

from gate_sim.http import Client, NoAnswer
from tests.unit.gate_sim.stand_in import HangUp, Request, standing_in


async def test_requests_share_a_connection_and_bodies_arrive_whole() -> None:
    seen: list[Request] = []

    def echo(request: Request) -> tuple[int, object]:
        seen.append(request)
        return 200, {"length": len(request.body)}

    async with standing_in(echo) as url, Client(url) as client:
        for size in (0, 1, 300_000):
            reply = await client.request("POST", "/x?y=1", body=b"a" * size, headers={"content-type": "text/plain"})
            assert (reply.status, reply.json()) == (200, {"length": size})
    assert seen[0].url == f"{url}/x?y=1"


async def test_a_whole_address_of_the_same_service_is_taken() -> None:
    async with standing_in(lambda request: (200, request.url)) as url, Client(url) as client:
        assert (await client.request("GET", f"{url}/sign/1")).json() == f"{url}/sign/1"


async def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    calls = 0

    def once_each(request: Request) -> tuple[int, object]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise HangUp
        return 200, calls

    async with standing_in(once_each) as url, Client(url) as client:
        assert (await client.request("GET", "/")).json() == 1
        assert (await client.request("GET", "/")).json() == 3


async def test_no_answer_is_told_as_such() -> None:
    def hang_up(request: Request) -> tuple[int, object]:
        raise HangUp

    async with standing_in(hang_up) as url, Client(url) as client:
        with pytest.raises(NoAnswer):
            await client.request("GET", "/")
    async with Client("http://127.0.0.1:1") as client:
        with pytest.raises(NoAnswer):
            await client.request("GET", "/")


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200\r\ncontent-length: 9\r\n\r\n{"]
)
async def test_half_an_answer_is_no_answer(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with contextlib.closing(server):
        async with Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
            with pytest.raises(NoAnswer):
                await client.request("GET", "/")


@pytest.mark.parametrize("address", ["https://127.0.0.1", "127.0.0.1:80", "http://", "http://127.0.0.1/path"])
def test_an_address_it_cannot_use_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="looks like"):
        Client(address)
