"""A TCP proxy that breaks connections where a test says so: on the way there, on the way back, at a Postgres COMMIT."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
_CHUNK_BYTES = 1 << 16
# A Postgres message is one byte of type and four of length, which counts itself.
_HEADER_BYTES = 5
_ENCRYPTION_QUESTIONS = ((80877103).to_bytes(4, "big"), (80877104).to_bytes(4, "big"))


class Cut(Exception):
    """Both sides of the connection are ended, without a word, once these last bytes have arrived."""

    def __init__(self, last: bytes = b"") -> None:
        super().__init__()
        self.last = last


class Fault(Protocol):
    """What happens to the bytes of one connection; either way may raise Cut."""

    def towards_server(self, chunk: bytes) -> bytes:
        """What of it arrives."""

    def towards_client(self, chunk: bytes) -> bytes:
        """What of it arrives."""


class FaultProxy:
    """Listens on a free port of the loopback and connects each client to the server behind it.

    Every piece of an answer comes `answer_delay_seconds` later than it would.
    """

    def __init__(self, connect: Connect, fault: Callable[[], Fault], *, answer_delay_seconds: float = 0) -> None:
        self._connect = connect
        self._fault = fault
        self._answer_delay_seconds = answer_delay_seconds
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["FaultProxy"]:
        """The proxy at work for the time of the block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._carry(reader, writer)
        finally:
            self._open.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            server_reader, server_writer = await self._connect()
            writers.append(server_writer)
            fault = self._fault()
            there = asyncio.create_task(_pump(reader, server_writer, fault.towards_server, 0))
            back = asyncio.create_task(_pump(server_reader, writer, fault.towards_client, self._answer_delay_seconds))
            # Whichever ends first, by its peer or by a cut, ends the other.
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        except OSError:
            pass
        finally:
            for each in writers:
                each.transport.abort()


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    change: Callable[[bytes], bytes],
    delay_seconds: float,
) -> None:
    # Draining then waits until the kernel has all of it.
    writer.transport.set_write_buffer_limits(0)
    with contextlib.suppress(OSError):
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                await asyncio.sleep(delay_seconds)
                writer.write(change(chunk))
                await writer.drain()
        except Cut as cut:
            writer.write(cut.last)
            await writer.drain()


def to_port(port: int) -> Connect:
    """A server on the loopback."""
    return lambda: asyncio.open_connection("127.0.0.1", port)


def to_socket(path: str) -> Connect:
    """A server on a Unix socket."""
    return lambda: asyncio.open_unix_connection(path)


class Passing:
    """Everything arrives as it is."""

    def towards_server(self, chunk: bytes) -> bytes:
        return chunk

    def towards_client(self, chunk: bytes) -> bytes:
        return chunk


class LostAnswers:
    """Requests arrive; while `is_losing` says so, an answer ends the connection instead of arriving."""

    def __init__(self, is_losing: Callable[[], bool]) -> None:
        self._is_losing = is_losing
        self.lost_bytes = 0
        self.request_bytes = 0

    def towards_server(self, chunk: bytes) -> bytes:
        self.request_bytes += len(chunk)
        return chunk

    def towards_client(self, chunk: bytes) -> bytes:
        if self._is_losing():
            self.lost_bytes += len(chunk)
            raise Cut
        return chunk


class LostCommit:
    """Postgres gets a COMMIT and its answer is lost, where `decide` says so.

    "at_once": the connection ends behind the COMMIT; "late": when its answer comes; "": this one passes.
    """

    def __init__(self, decide: Callable[[], str]) -> None:
        self._decide = decide
        self._messages = _Frontend()
        self._is_cut = False

    def towards_server(self, chunk: bytes) -> bytes:
        if not any(_is_commit(kind, content) for kind, content in self._messages.read(chunk)):
            return chunk
        decision = self._decide()
        self._is_cut = decision != ""
        if decision == "at_once":
            raise Cut(chunk)
        return chunk

    def towards_client(self, chunk: bytes) -> bytes:
        if self._is_cut:
            raise Cut
        return chunk


class _Frontend:
    """The messages of a Postgres client, put together from chunks; the first one has no type."""

    def __init__(self) -> None:
        self._buffer = b""
        self._is_started = False

    def read(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        """The messages that are complete now."""
        self._buffer += chunk
        messages = []
        while len(self._buffer) >= _HEADER_BYTES:
            type_bytes = 1 if self._is_started else 0
            size = type_bytes + int.from_bytes(self._buffer[type_bytes : type_bytes + 4], "big")
            if len(self._buffer) < size:
                break
            content = self._buffer[type_bytes + 4 : size]
            messages.append((self._buffer[:type_bytes], content))
            self._buffer = self._buffer[size:]
            # A question about encryption comes before the start, and has no type either.
            self._is_started = self._is_started or content not in _ENCRYPTION_QUESTIONS
        return messages


def _is_commit(kind: bytes, content: bytes) -> bool:
    """A simple query, or the parsing of a statement that is then executed in the same breath."""
    text = content if kind == b"Q" else content.partition(b"\0")[2] if kind == b"P" else b""
    return text.lstrip().upper().startswith(b"COMMIT")


def socket_of(dsn: str) -> str:
    """The Unix socket at which the Postgres of this address listens."""
    parts = parse_qs(urlsplit(dsn).query)
    return f"{parts['host'][0]}/.s.PGSQL.{parts['port'][0]}"


def dsn_through(dsn: str, port: int) -> str:
    """The same database by way of a proxy."""
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}", query="").geturl()
