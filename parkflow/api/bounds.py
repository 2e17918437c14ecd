"""Bounds of every request: how large a body may be, and that it comes as it is."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parkflow.api.errors import problem_of
from parkflow.kit.errors import ParkflowError

BODY_BYTES_MAX: Final = 1 << 20


class BodyTooLarge(ParkflowError):
    """A request body has at most 1 MiB; send the rest in a further request."""

    code = "body_too_large"
    status = 413


class EncodedBody(ParkflowError):
    """A request body is sent without Content-Encoding."""

    code = "unsupported_content_encoding"
    status = 415


class Bounds:
    """ASGI middleware that refuses what is too large, before or while it is read, and what is compressed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = _refusal(Headers(scope=scope))
        if refusal is not None:
            await problem_of(refusal)(scope, receive, send)
            return
        await self._app(scope, _Bounded(receive), send)


class _Bounded:
    """A `receive` that counts; the length that a client states need not be true, or may be missing."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left_bytes = BODY_BYTES_MAX

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        if self._left_bytes < 0:
            # The framework passes only its own exceptions through while it reads a body.
            raise HTTPException(BodyTooLarge.status, BodyTooLarge().message)
        return message


def _refusal(headers: Headers) -> ParkflowError | None:
    if headers.get("content-encoding", "identity").lower() != "identity":
        return EncodedBody()
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > BODY_BYTES_MAX:
        return BodyTooLarge()
    return None
