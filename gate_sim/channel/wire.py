"""How messages to and from the channel are signed: HMAC-SHA-256 (RFC 2104) with a secret that both sides hold.

A request is signed over `request`, its time, method, path with query, and body; an answer over `answer`, its time, its
status, the request's method and path, and body. So neither can be taken for the other, nor for the answer to another
request. Times are wall-clock milliseconds: freshness is about real networks, also when business time is simulated.
"""

import hashlib
import hmac
from typing import Final

TIME_HEADER: Final = "X-Channel-Time"
SIGNATURE_HEADER: Final = "X-Channel-Signature"
FRESH_MS: Final = 300_000


def sign_request(secret: bytes, *, at_ms: int, method: str, target: str, body: bytes) -> str:
    """Hex signature of a request or notification; `target` is the path with its query."""
    return _mac(secret, b"\n".join((b"request", b"%d" % at_ms, method.encode(), target.encode(), body)))


def sign_answer(secret: bytes, *, at_ms: int, status: int, request_line: str, body: bytes) -> str:
    """Hex signature of an answer; `request_line` is `METHOD path?query` of the request it answers."""
    return _mac(secret, b"\n".join((b"answer", b"%d" % at_ms, b"%d" % status, request_line.encode(), body)))


def is_fresh(stated: str | None, *, now_ms: int) -> bool:
    """Whether a stated time is a number within five minutes of now."""
    return stated is not None and stated.isascii() and stated.isdigit() and abs(int(stated) - now_ms) <= FRESH_MS


def same(left: str, right: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def _mac(secret: bytes, message: bytes) -> str:
    return hmac.new(secret, message, hashlib.sha256).hexdigest()
