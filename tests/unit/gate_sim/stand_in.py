"""A stand-in for the service at the other end of a gate's line: a real socket, answers from a function."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What came in, in the shape that the signature library reads."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class HangUp(Exception):
    """Raised by an answering function that lets the connection end without an answer."""


Answering = Callable[[Request], tuple[int, Any] | tuple[int, Any, Mapping[str, str]]]


@asynccontextmanager
async def standing_in(answer: Answering) -> AsyncIterator[str]:
    """The address of a server that answers every request with (status, JSON or bytes, and headers if any)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(_written(*answer(await _read(reader))))
        except (asyncio.IncompleteReadError, ConnectionError, HangUp):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Request(method, f"http://{headers['host']}{target}", headers, body)


def _written(status: int, content: Any, headers: Mapping[str, str] | None = None) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"HTTP/1.1 {status} said\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
