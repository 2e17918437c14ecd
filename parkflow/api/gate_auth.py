"""Who a gate is: HTTP Message Signatures (RFC 9421) by the gate's own Ed25519 key, checked before anything else.

Covered are method, authority, path, query and Content-Digest (RFC 9530), so that nothing of the request can be
exchanged; `created` may be 60 s away from our clock, and a nonce is taken once. The signature is checked before the
body is read.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Depends
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    VerifyResult,
)
from starlette.datastructures import Headers
from starlette.requests import Request

from parkflow import core
from parkflow.api.bounds import ROOM_HELD
from parkflow.api.context import Given, Now
from parkflow.api.room import Room
from parkflow.gate import service as gate_service
from parkflow.gate.service import Gate
from parkflow.gate.state import GateState
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import MalformedId, from_text

TAG: Final = "parkflow-gate"
COVERED: Final = ("@method", "@authority", "@path", "@query", "content-digest")
# A signature is valid for its age on both sides of our clock; a nonce outlives it.
_NONCE_AGES: Final = 5
# Far beyond any clock, and still a date.
_UNIX_SECONDS_MAX: Final = 1 << 36
_NONCE_LENGTHS: Final = range(8, 65)
# With several of one of them, each reader would have to combine them alike.
_ONCE: Final = ("signature", "signature-input", "content-digest")
# Hashing more than this takes the better part of a millisecond or more, and the event loop has other requests.
_HASHED_BESIDE_BYTES_MIN: Final = 512 * 1024


class GateSignatureRefused(ParkflowError):
    """The request is not signed as a gate of ours signs it."""

    code = "gate_signature_refused"
    status = 401


class GateRetired(ParkflowError):
    """This gate was retired; its uploads are not taken any more."""

    code = "gate_retired"
    status = 403


class _Signature(NamedTuple):
    """What a verified signature says beyond that it is genuine."""

    nonce: str
    digest: str


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """An authenticated gate and the body that its signature covers."""

    gate: Gate
    body: bytes


async def signed_request(gate: str, request: Request, services: Given, now: Now) -> AsyncIterator[SignedRequest]:
    """The request of the gate in the path, its body in memory until the answer is out.

    The signature covers the body's digest, so who sends is known before the body is read: a stranger gets no memory.
    Raises GateSignatureRefused, GateRetired, ServiceBusy.
    """
    found = await _gate(gate, services)
    age_max = timedelta(seconds=services.settings.request_age_max_seconds)
    signature = _verified(request, found, now=now, age_max=age_max)
    key = f"gate-nonce/{found.gate_id}/{signature.nonce}"
    if not await services.limits.take(key, limit=1, window=_NONCE_AGES * age_max, now=now):
        raise GateSignatureRefused("this nonce was used before; sign each request with a new one")
    if found.state is GateState.RETIRED:
        raise GateRetired
    room: Room = request.app.state.gates_room
    size = _size_stated(request.headers, unstated=services.settings.body_bytes_max)
    room.take(found.operator_id, size)
    request.scope[ROOM_HELD] = True
    try:
        body = await request.body()
        if len(body) > _HASHED_BESIDE_BYTES_MIN:
            await asyncio.to_thread(_check_digest, signature.digest, body)
        else:
            _check_digest(signature.digest, body)
        yield SignedRequest(found, body)
    finally:
        room.give(found.operator_id, size)


Signed = Annotated[SignedRequest, Depends(signed_request)]
"""A handler's parameter `signed: Signed`; the path has a `{gate}`."""


async def _gate(gate: str, services: Given) -> Gate:
    try:
        async with services.pool.acquire() as conn:
            return await gate_service.get(conn, from_text(gate_service.ID_PREFIX, gate))
    except (MalformedId, NotFound):
        # The same answer as for a wrong signature, so that nobody learns which gates exist.
        raise GateSignatureRefused from None


def _size_stated(headers: Headers, *, unstated: int) -> int:
    """How long the body may be; one that does not say so may have any length."""
    stated = headers.get("content-length", "0" if "transfer-encoding" not in headers else "")
    return int(stated) if stated.isascii() and stated.isdigit() else unstated


def _verified(request: Request, gate: Gate, *, now: datetime, age_max: timedelta) -> _Signature:
    for name in _ONCE:
        if len(request.headers.getlist(name)) != 1:
            raise GateSignatureRefused(f"a request has the header {name} exactly once")
    verifier = _Verifier(_OneKey(request.path_params["gate"], gate.public_key), now)
    try:
        results: list[VerifyResult] = verifier.verify(_Message(request), max_age=age_max, expect_tag=TAG)
    except HTTPMessageSignaturesException as error:
        raise GateSignatureRefused(f"the request's signature is refused: {_one_line(error)}") from error
    if len(results) != 1:
        raise GateSignatureRefused(f"a request has exactly one signature with the tag {TAG}")
    covered, nonce = results[0].covered_components, results[0].nonce
    if lacking := [part for part in COVERED if f'"{part}"' not in covered]:
        raise GateSignatureRefused(f"the signature does not cover {', '.join(lacking)}")
    if nonce is None or len(nonce) not in _NONCE_LENGTHS:
        raise GateSignatureRefused("a request is signed with a nonce of 8 to 64 characters")
    return _Signature(nonce, covered['"content-digest"'])


def _check_digest(digest: str, body: bytes) -> None:
    try:
        ContentDigest.verify(digest, body)
    except HTTPMessageSignaturesException as error:
        raise GateSignatureRefused(f"the request's body is refused: {_one_line(error)}") from error


class _Message:
    """A Starlette request in the shape that the signature library reads: as it was sent, nothing decoded."""

    def __init__(self, request: Request) -> None:
        path = request.scope.get("raw_path") or request.scope["path"].encode()
        query = request.scope["query_string"]
        target = path + b"?" + query if query else path
        self.method = request.method
        # The scheme is not covered; a proxy may have ended TLS.
        self.url = f"http://{request.headers.get('host', '')}{target.decode('latin-1')}"
        self.headers: Headers = request.headers


class _PrimeOrderEd25519(HTTPSignatureAlgorithm):
    """Ed25519 by the same rule as every other signature of parkflow."""

    algorithm_id = "ed25519"

    def __init__(self, public_key: bytes | None = None, private_key: None = None) -> None:
        assert public_key is not None, "the service verifies, and only verifies"
        assert private_key is None, "the service has no private key of a gate"
        self._public_key = public_key

    def verify(self, signature: bytes, message: bytes) -> None:
        if not core.ed25519_verify(self._public_key, message, signature):
            raise InvalidSignature("it does not fit the request and the gate's key")


class _OneKey(HTTPSignatureKeyResolver):
    """The key of the gate in the path, and of no other."""

    def __init__(self, key_id: str, public_key: bytes) -> None:
        self._key_id = key_id
        self._public_key = public_key

    def resolve_public_key(self, key_id: str) -> bytes | None:
        return self._public_key if key_id == self._key_id else None


class _Verifier(HTTPMessageVerifier):
    """The library's verifier, with business time in place of the system clock and times allowed on both sides."""

    def __init__(self, keys: _OneKey, now: datetime) -> None:
        super().__init__(signature_algorithm=_PrimeOrderEd25519, key_resolver=keys)
        self._now = now

    def validate_created_and_expires(self, sig_input: Any, max_age: timedelta | None = None) -> None:
        assert max_age is not None, "a signature always has an age limit"
        if "created" not in sig_input.params:
            raise InvalidSignature("it lacks the parameter created")
        if abs(self._now - _instant(sig_input.params["created"])) > max_age:
            raise InvalidSignature(f"created is more than {max_age.seconds} s away from our clock")
        if "expires" in sig_input.params and _instant(sig_input.params["expires"]) < self._now:
            raise InvalidSignature("it has expired")


def _instant(unix_seconds: object) -> datetime:
    if type(unix_seconds) is not int or abs(unix_seconds) > _UNIX_SECONDS_MAX:
        raise InvalidSignature("created and expires are whole unix seconds")
    return datetime.fromtimestamp(unix_seconds, UTC)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
