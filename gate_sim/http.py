"""A small HTTP/1.1 client (RFC 9112): one request at a time on kept connections, bodies with Content-Length.

Thousands of phones and gates share a machine with the service they test, so their requests must cost next to nothing.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 30
HEAD_BYTES_MAX = 64 * 1024
_NO_BODY = frozenset({204, 304})


class NoAnswer(Exception):
    """The connection failed or ended before the whole answer was there; the request may have had its effect."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


class Client:
    """Requests to one service at `base_url` (`http://host:port`); any number at once, each on its own connection."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "http" or parts.hostname is None or parts.path.strip("/"):
            raise ValueError(f"an address looks like http://127.0.0.1:8000, not {base_url!r}")
        self.base_url = f"http://{parts.netloc}"
        self._host, self._port = parts.hostname, parts.port or 80
        self._authority = parts.netloc
        self._idle: list[_Connection] = []

    async def request(
        self, method: str, target: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one request; `target` is a path with query, or a whole address at this service. Raises NoAnswer."""
        target = target.removeprefix(self.base_url)
        lines = [f"{method} {target} HTTP/1.1", f"host: {self._authority}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        message = "\r\n".join([*lines, "", ""]).encode() + body
        while True:
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._exchange(connection, message)
            except (OSError, EOFError, asyncio.LimitOverrunError, ValueError, LookupError) as error:
                connection.writer.close()
                # A kept connection may have been closed at the other end since; a new one tells.
                if not connection.used:
                    raise NoAnswer(f"{method} {target}: {error}") from error
            except BaseException:
                connection.writer.close()
                raise

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop().writer.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _connect(self) -> _Connection:
        try:
            return _Connection(*await asyncio.open_connection(self._host, self._port, limit=HEAD_BYTES_MAX))
        except OSError as error:
            raise NoAnswer(f"{self.base_url}: {error}") from error

    async def _exchange(self, connection: _Connection, message: bytes) -> Reply:
        connection.writer.write(message)
        status_line, *lines = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(status_line.split(" ", 2)[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        length = 0 if status in _NO_BODY else int(headers["content-length"])
        reply = Reply(status, headers, await connection.reader.readexactly(length))
        if headers.get("connection", "").lower() == "close":
            connection.writer.close()
        else:
            connection.used = True
            self._idle.append(connection)
        return reply
