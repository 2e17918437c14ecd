"""Signatures of the simulated channel's messages: HMAC-SHA-256 (RFC 2104) over what must not be changed or swapped.

A request is signed over the word `request`, the wall-clock milliseconds, method, path with query, and body, joined by
line feeds; an answer over `answer`, milliseconds, status, `METHOD path` of its request, and body.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from parkflow.channel.port import SignatureInvalid

_TIME: Final = "x-channel-time"
_SIGNATURE: Final = "x-channel-signature"
_AGE_MAX: Final = timedelta(minutes=5)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def request_headers(secret: bytes, *, now: datetime, method: str, target: str, body: bytes) -> dict[str, str]:
    """The headers that make a request ours; `now` is wall time."""
    stated = str((now - _EPOCH) // _MILLISECOND)
    signature = _mac(secret, "request", stated, method, target, body=body)
    return {"content-type": "application/json", _TIME: stated, _SIGNATURE: signature}


def check_answer(secret: bytes, *, now: datetime, answer: httpx.Response, request_line: str) -> None:
    """Raises SignatureInvalid unless the channel signed this answer to this request lately."""
    stated = _fresh(answer.headers, now)
    right = _mac(secret, "answer", stated, str(answer.status_code), request_line, body=answer.content)
    _compare(right, answer.headers)


def check_notification(secret: bytes, *, now: datetime, headers: Mapping[str, str], target: str, body: bytes) -> None:
    """Raises SignatureInvalid unless the channel signed this notification lately; header names are lower case."""
    _compare(_mac(secret, "request", _fresh(headers, now), "POST", target, body=body), headers)


def _fresh(headers: Mapping[str, str], now: datetime) -> str:
    stated = headers.get(_TIME, "")
    if not (stated.isascii() and stated.isdigit() and len(stated) <= 16):
        raise SignatureInvalid("the message states no time")
    if abs(_EPOCH + int(stated) * _MILLISECOND - now) > _AGE_MAX:
        raise SignatureInvalid("the message is too old")
    return stated


def _compare(right: str, headers: Mapping[str, str]) -> None:
    if not hmac.compare_digest(right.encode(), headers.get(_SIGNATURE, "").encode()):
        raise SignatureInvalid("the message is not signed by the channel")


def _mac(secret: bytes, *parts: str, body: bytes) -> str:
    message = b"\n".join((*(part.encode() for part in parts), body))
    return hmac.new(secret, message, hashlib.sha256).hexdigest()
