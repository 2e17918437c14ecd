"""Bounds of every request: how large its body may be, how long it may take to come, and that it comes as it is."""

import asyncio
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parkflow.api.errors import problem_of, retry_after
from parkflow.api.room import Room, ServiceBusy
from parkflow.kit.clock import Clock
from parkflow.kit.errors import ParkflowError
from parkflow.settings import Settings

# A client that is refused may not have read the answer yet, and closing a connection with unread bytes in it would
# destroy the answer on its way: so much more is read and thrown away.
LINGER_BYTES_MAX: Final = 1 << 20
LINGER_SECONDS: Final = 2
ROOM_HELD: Final = "parkflow.room_held"
"""Set in the scope of a request by whoever took room for its body, so that it is not counted twice."""
_NS: Final = 1_000_000_000
# Bodies of callers that nobody knows yet have this part of the room to themselves, and the others' bodies the rest.
_UNKNOWN_PART: Final = 4
_NOBODY: Final = 0


class BodyTooLarge(ParkflowError):
    """A request body has at most 1 MiB; send the rest in a further request."""

    code = "body_too_large"
    status = 413


class BodyTooSlow(ParkflowError):
    """The request body came too slowly; send less in one request."""

    code = "body_too_slow"
    status = 408


class EncodedBody(ParkflowError):
    """A request body is sent without Content-Encoding."""

    code = "unsupported_content_encoding"
    status = 415


class HostUnclear(ParkflowError):
    """A request names its host exactly once."""

    code = "host_unclear"
    status = 400


def known_room(settings: Settings) -> Room:
    """The room for bodies of callers that were authenticated before their bodies are read."""
    return Room(settings.bodies_bytes_max - settings.bodies_bytes_max // _UNKNOWN_PART)


class Bounds:
    """ASGI middleware that refuses what is too large, before or while it is read, too slow, or compressed."""

    def __init__(self, app: ASGIApp, *, settings: Settings, clock: Clock) -> None:
        self._app = app
        self._settings = settings
        self._clock = clock
        self._room = Room(settings.bodies_bytes_max // _UNKNOWN_PART)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = _Body(scope, receive, self._settings, self._clock, self._room)
        answer = _Answer(body, send)
        try:
            if (refusal := _refusal(headers, bytes_max=self._settings.body_bytes_max)) is not None:
                await problem_of(refusal)(scope, body, answer)
            else:
                await self._app(scope, body, answer)
        finally:
            body.give_back()


class _Body:
    """A `receive` that counts bytes and time; the length that a client states need not be true, or may be missing."""

    def __init__(self, scope: Scope, receive: Receive, settings: Settings, clock: Clock, room: Room) -> None:
        headers = Headers(scope=scope)
        self.is_complete = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        self.receive: Final = receive
        self._scope = scope
        self._settings = settings
        self._clock = clock
        self._room = room
        self._begun_ns = 0
        self._received = 0
        self._held = 0

    async def __call__(self) -> Message:
        if self.is_complete:
            return await self.receive()
        message = await self._in_time()
        if message["type"] != "http.request":
            return message
        count = len(message.get("body", b""))
        self._received += count
        if self._received > self._settings.body_bytes_max:
            raise _passed_through(BodyTooLarge())
        self._hold(count)
        self.is_complete = not message.get("more_body", False)
        return message

    def give_back(self) -> None:
        """The request is over, and its body is not needed any more."""
        self._room.give(_NOBODY, self._held)
        self._held = 0

    async def _in_time(self) -> Message:
        self._begun_ns = self._begun_ns or self._clock.monotonic_ns()
        left_seconds = self._seconds_allowed() - (self._clock.monotonic_ns() - self._begun_ns) // _NS
        if left_seconds > 0:
            try:
                async with asyncio.timeout(left_seconds):
                    return await self.receive()
            except TimeoutError:
                pass
        raise _passed_through(BodyTooSlow())

    def _seconds_allowed(self) -> int:
        """More time for what has come; a body that trickles in would hold its memory for as long as it likes."""
        earned = self._received // self._settings.body_bytes_per_second_min
        return min(self._settings.body_grace_seconds + earned, self._settings.body_seconds_max)

    def _hold(self, count: int) -> None:
        if ROOM_HELD in self._scope:
            return
        try:
            self._room.take(_NOBODY, count)
        except ServiceBusy as error:
            raise _passed_through(error) from None
        self._held += count


class _Answer:
    """A `send` that ends the connection when the answer goes out before the body was read, and lets it arrive."""

    def __init__(self, body: _Body, send: Send) -> None:
        self._body = body
        self._send = send

    async def __call__(self, message: Message) -> None:
        if self._body.is_complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
            await self._send(message)
        elif message.get("more_body", False):
            await self._send(message)
        else:
            # The client has the whole answer by its length, while the connection stays open for what is still coming.
            await self._send({**message, "more_body": True})
            self._body.give_back()
            await self._read_away()
            await self._send({"type": "http.response.body"})

    async def _read_away(self) -> None:
        left = LINGER_BYTES_MAX
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0:
                    message = await self._body.receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return


def _passed_through(refusal: ParkflowError) -> HTTPException:
    # The framework passes only its own exceptions through while it reads a body.
    return HTTPException(refusal.status, refusal.message, headers=retry_after(refusal))


def _refusal(headers: Headers, *, bytes_max: int) -> ParkflowError | None:
    if len(headers.getlist("host")) > 1:
        # Two readers of one request may take different ones of the two.
        return HostUnclear()
    if headers.get("content-encoding", "identity").lower() != "identity":
        return EncodedBody()
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > bytes_max:
        return BodyTooLarge()
    return None
