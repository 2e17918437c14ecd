"""HTTP/1.1 for the channel, small enough to fail on purpose: silence, broken bodies, missing signatures.

h11 does the protocol (RFC 9112); this file moves its bytes and carries out the faults.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import h11

from gate_sim.channel import wire
from gate_sim.channel.answer import Answer, Fault
from gate_sim.channel.desk import Desk
from gate_sim.channel.notifier import Notifier

_BODY_BYTES_MAX: Final = 1 << 20
_READ_BYTES: Final = 1 << 16
HOLD_SECONDS: Final = 15  # longer than any caller's patience; only in real time, virtual time has passed at once


@asynccontextmanager
async def serving(desk: Desk, *, port: int = 0, notify_url: str | None = None) -> AsyncIterator[int]:
    """Serve on the loopback for the time of the block; yields the port."""
    connections = _Connections(desk)
    server = await asyncio.start_server(connections.serve, "127.0.0.1", port)
    notifier = Notifier(desk.book, desk.clock, secret=desk.secret, url=notify_url) if notify_url else None
    task = asyncio.create_task(notifier.run()) if notifier else None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await connections.aclose()
        if task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await server.wait_closed()


class _Connections:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def aclose(self) -> None:
        """Break every connection that is still open, and wait until none is."""
        for writer in self._open.values():
            writer.transport.abort()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task of its own"
        self._open[task] = writer
        try:
            while await self._exchange(connection, reader, writer):
                connection.start_next_cycle()
        except (h11.RemoteProtocolError, ConnectionError, asyncio.CancelledError):
            # asyncio's streams report a connection's task that ends cancelled as an error, so it just ends.
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            del self._open[task]

    async def _exchange(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request and its answer; whether the connection lives on."""
        request, body = await _receive(connection, reader)
        if request is None:
            return False
        method, target = request.method.decode(), request.target.decode()
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        answer = self._desk.answer(method, target, headers, body)
        if answer.fault is Fault.SILENCE:
            if not self._desk.clock.virtual:
                await asyncio.sleep(HOLD_SECONDS)
            writer.transport.abort()
            return False
        writer.write(self._bytes(connection, answer, f"{method} {target}"))
        await writer.drain()
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    def _bytes(self, connection: h11.Connection, answer: Answer, request_line: str) -> bytes:
        if answer.fault is Fault.ERROR:
            answer = Answer(500, {"message": "internal server error"}, fault=Fault.UNSIGNED)
        body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        if answer.fault is not Fault.UNSIGNED:
            at_ms = time.time_ns() // 1_000_000
            signature = wire.sign_answer(
                self._desk.secret, at_ms=at_ms, status=answer.status, request_line=request_line, body=body
            )
            headers += [(wire.TIME_HEADER, str(at_ms)), (wire.SIGNATURE_HEADER, signature)]
        head = connection.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        if answer.fault is Fault.TRUNCATED:
            # h11 is left in the middle of the body, so the connection is closed after these bytes.
            return head + (connection.send(h11.Data(data=body[: len(body) // 2])) or b"")
        rest = connection.send(h11.Data(data=body)) or b""
        return head + rest + (connection.send(h11.EndOfMessage()) or b"")


async def _receive(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request | None, bytes]:
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _BODY_BYTES_MAX:
                raise h11.RemoteProtocolError("the body is too large")
        elif isinstance(event, h11.EndOfMessage):
            return request, bytes(body)
        else:
            return None, b""
