"""HTTP by hand: clients that send what no library would, byte by byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from tests.gate_log import HOST, WAIT_SECONDS

_HEAD_END = b"\r\n\r\n"


@dataclass
class Raw:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, content: bytes) -> bool:
        """Send it; whether the other side still takes it."""
        try:
            self.writer.write(content)
            await self.writer.drain()
        except ConnectionError:
            return False
        return True

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer; status 0 when the connection ends without one."""
        async with asyncio.timeout(WAIT_SECONDS):
            try:
                head = await self.reader.readuntil(_HEAD_END)
                return int(head.split()[1]), await self.reader.readexactly(_length_in(head))
            except (asyncio.IncompleteReadError, ConnectionError):
                return 0, b""

    async def is_closed(self) -> bool:
        """Wait until the other side ends the connection; whether it did so without a further byte."""
        async with asyncio.timeout(WAIT_SECONDS):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Raw]:
    """A connection for the time of the block."""
    raw = Raw(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield raw
    finally:
        raw.writer.transport.abort()


def head(method: str, path: str, *, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Request line and headers, with our host."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode()


def _length_in(answer_head: bytes) -> int:
    for line in answer_head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
