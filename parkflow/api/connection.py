"""Bounds of every connection: how long and how large the head of a request may be, and how many may come at once.

uvicorn leaves these to a proxy in front of it; here a gate or a stranger may speak to it directly.
"""

import asyncio
import json
from http import HTTPStatus
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from parkflow.api.errors import MEDIA_TYPE

# Request line and headers; a gate's are under 1 KiB.
HEAD_BYTES_MAX: Final = 16 * 1024
# Requests that wait behind the one that is being answered. Our own clients never send ahead.
PIPELINED_MAX: Final = 8


class _HeadTooLarge(Exception):
    """The head of a request is larger than HEAD_BYTES_MAX."""


class _TooManyPipelined(Exception):
    """More than PIPELINED_MAX requests were sent ahead."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection; a head that does not come in time, or does not end, ends it."""

    head_seconds_max: ClassVar[int] = 10

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_is_open = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, received: bytes) -> None:
        # Taken back when a head ends in these bytes: what then stands behind it is one read at most.
        self._head_bytes += len(received)
        super().data_received(received)
        if not self._head_is_open or self.transport.is_closing():
            return
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(431, "head_too_large", "the head of a request has at most 16 KiB")
        elif not self._is_answering():
            self._await_head()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED_MAX:
            raise _TooManyPipelined
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._head_is_open = False
        self._head_bytes = 0
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES_MAX:
            raise _HeadTooLarge
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head_is_open = True
        self._head_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Every way in which a request is no HTTP ends here."""
        self._refuse(400, "malformed_request", "this is not an HTTP request that we understand")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        if self._is_answering():
            # Whatever were written now would be taken for the answer to an earlier request.
            self.transport.abort()
            return
        problem = {
            "type": f"/problems/{code}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "code": code,
        }
        body = json.dumps(problem).encode()
        head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds_max, self._head_is_late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(408, "head_too_slow", "the head of the request did not come in time")


def bounded_protocol(*, head_seconds_max: int) -> type[BoundedProtocol]:
    """The protocol with another limit of time; uvicorn makes one of the class for each connection."""
    return type("BoundedProtocol", (BoundedProtocol,), {"head_seconds_max": head_seconds_max})
