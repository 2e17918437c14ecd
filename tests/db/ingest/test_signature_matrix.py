"""Whatever is changed, left out, sent again or sent by somebody else in a gate's signed request: it is not taken."""

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from parkflow import core
from parkflow.api.gate_auth import COVERED
from parkflow.db.conn import Pool
from tests.db.ingest.conftest import Town
from tests.edge import client_of
from tests.gate_log import batch_body
from tests.hand_signed import ORDER, Request, Sheet, digest_of, signature_in, signature_text
from tests.street import StreetGate


@dataclass
class Door:
    """A gate whose requests are tampered with, and another one of the same operator."""

    client: httpx.AsyncClient
    gate: StreetGate
    other: StreetGate

    def sheet(self) -> Sheet:
        """A request that is right until it is written on: the gate's next event."""
        now = datetime.now(UTC)
        scan = self.gate.scan("x", now, verdict="bad_prefix")
        body = batch_body(self.gate.epoch, [scan], prev_hash=self.gate.chain_before(scan["seq"]), at=now)
        return Sheet(self.gate, body, now)


@asynccontextmanager
async def door_of(town: Town) -> AsyncIterator[Door]:
    async with client_of(town.services) as client:
        yield Door(client, town.logs[0].gate, town.logs[1].gate)


def param(name: str, value: str | None) -> Callable[[Sheet], None]:
    def change(sheet: Sheet) -> None:
        if value is None:
            del sheet.params[name]
        else:
            sheet.params[name] = value

    return change


def value(part: str, other: str) -> Callable[[Sheet], None]:
    return lambda sheet: sheet.values.update({f'"{part}"': other})


def created(seconds: int) -> Callable[[Sheet], None]:
    return lambda sheet: sheet.params.update(created=str(int(sheet.now.timestamp()) + seconds))


def parts(change: Callable[[list[str]], Any]) -> Callable[[Sheet], None]:
    return lambda sheet: change(sheet.parts)


def instead(old: str, new: str, shown: str) -> Callable[[Sheet], None]:
    def change(sheet: Sheet) -> None:
        sheet.parts[sheet.parts.index(f'"{old}"')] = new
        sheet.values[new] = shown or sheet.digest

    return change


def digest(make: Callable[[bytes], str]) -> Callable[[Sheet], None]:
    return lambda sheet: setattr(sheet, "digest", make(sheet.body))


def confused(sheet: Sheet) -> None:
    """The gate's public key taken for the secret of an HMAC."""
    sheet.params["alg"] = '"hmac-sha256"'
    sheet.signature = hmac.new(core.public_key(sheet.gate.secret), sheet.base(), hashlib.sha256).digest()


SIGNED_SO: dict[str, Callable[[Sheet], None]] = {
    **{f"{name} not covered": parts(lambda all_, name=name: all_.remove(f'"{name}"')) for name in COVERED},  # type: ignore[misc]
    **{f"{name} covered twice": parts(lambda all_, name=name: all_.append(f'"{name}"')) for name in COVERED},  # type: ignore[misc]
    "nothing covered": parts(list.clear),
    "method of another request": value("@method", "PUT"),
    "authority of another request": value("@authority", "elsewhere.test"),
    "path of another request": value("@path", "/v1/gates/gate_0000000000001/scans"),
    "query of another request": value("@query", "?all=1"),
    "no query at all": value("@query", ""),
    "target instead of path": instead("@path", '"@request-target"', "/v1/gates/x/scans"),
    "method with a flag": instead("@method", '"@method";req', "POST"),
    "digest with a flag": instead("content-digest", '"content-digest";sf', ""),
    "one query parameter": instead("@query", '"@query-param";name="all"', "1"),
    "capitals": instead("@path", '"@PATH"', "/"),
    "unknown part": instead("@path", '"@paths"', "/"),
    "stale": created(-61),
    "from the future": created(61),
    "from another age": created(1 << 40),
    "created left out": param("created", None),
    "created as text": param("created", '"1508500000"'),
    "created as decimal": param("created", "1508500000.5"),
    "expired": param("expires", "1508500000"),
    "other tag": param("tag", '"parkflow-phone"'),
    "tag left out": param("tag", None),
    "tag as token": param("tag", "parkflow-gate"),
    "nonce left out": param("nonce", None),
    "nonce too short": param("nonce", '"1234567"'),
    "nonce too long": param("nonce", '"' + "n" * 65 + '"'),
    "nonce as number": param("nonce", "123456789"),
    "key left out": param("keyid", None),
    "unknown key": param("keyid", '"gate_0000000000001"'),
    "unknown parameter": param("context", '"other"'),
    "other algorithm": param("alg", '"rsa-pss-sha512"'),
    "no algorithm": param("alg", '"none"'),
    "algorithm confused": confused,
    "key of nobody": lambda sheet: setattr(sheet, "secret", secrets.token_bytes(32)),
    "digest by another algorithm": digest(lambda body: digest_of(body, "md5")),
    "digest too short": digest(lambda body: "sha-256=:AAAA:"),
    "digest empty": digest(lambda body: ""),
    "digest of another body": digest(lambda body: digest_of(body + b" ")),
    "one digest of two wrong": digest(lambda body: f"{digest_of(body)}, {digest_of(b'', 'sha-512')}"),
    "one digest twice": digest(lambda body: f"{digest_of(body)}, {digest_of(body)}"),
}


def other_signature(change: Callable[[bytes], bytes]) -> Callable[[Request], Request]:
    return lambda request: request.without("Signature").adding(
        "Signature", signature_text(change(signature_in(request)))
    )


def body(change: Callable[[bytes], bytes]) -> Callable[[Request], Request]:
    return lambda request: replace(request, body=change(request.body))


def with_new_digest(request: Request) -> Request:
    changed = replace(request, body=request.body.replace(b"bad_prefix", b"bad_length"))
    return changed.without("Content-Digest").adding("Content-Digest", digest_of(changed.body))


def doubled(name: str) -> Callable[[Request], Request]:
    return lambda request: request.adding(name, request.header(name))


def address(old: str, new: str) -> Callable[[Request], Request]:
    return lambda request: replace(request, url=request.url.replace(old, new))


def plus_order(signature: bytes) -> bytes:
    return signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")


def second_signature(request: Request) -> Request:
    """A signature of the same tag beside the right one: which of the two is it?"""
    inner = request.header("Signature-Input").removeprefix("sig=")
    both = request.changing("Signature-Input", "sig=", f"also={inner}, sig=")
    return both.changing("Signature", "sig=", f"{signature_text(bytes(64), 'also')}, sig=")


CHANGED_AFTERWARDS: dict[str, Callable[[Request], Request]] = {
    **{f"{name} left out": lambda r, name=name: r.without(name) for name in ("Content-Digest", "Signature-Input")},  # type: ignore[misc]
    **{f"{name} twice": doubled(name) for name in ("Content-Digest", "Signature-Input", "Signature")},
    "signature left out": lambda request: request.without("Signature"),
    "host twice": lambda request: request.adding("Host", "parkflow.test").adding("Host", "elsewhere.test"),
    "other host": lambda request: request.adding("Host", "elsewhere.test"),
    "other method": lambda request: replace(request, method="PUT"),
    "other query": address("/scans", "/scans?all=1"),
    "other path": address("/scans", "/heartbeat"),
    "path written otherwise": address("/scans", "/%73cans"),
    "path with a further slash": address("/v1/", "//v1/"),
    "body longer": body(lambda content: content + b" "),
    "body shorter": body(lambda content: content[:-1]),
    "body left out": body(lambda content: b""),
    "body changed with its digest": with_new_digest,
    "body changed with a further digest": lambda request: with_new_digest(request).adding(
        "Content-Digest", request.header("Content-Digest")
    ),
    "created changed": lambda r: r.changing("Signature-Input", "created=1", "created=2"),
    "nonce changed": lambda r: r.changing("Signature-Input", 'nonce="', 'nonce="0'),
    "key changed": lambda r: r.changing("Signature-Input", 'keyid="gate_', 'keyid="gate_0'),
    "parts in another order": lambda r: r.changing(
        "Signature-Input", '"@method" "@authority"', '"@authority" "@method"'
    ),
    "part added": lambda r: r.changing("Signature-Input", '"@method"', '"@method" "host"'),
    "label changed": lambda r: r.changing("Signature-Input", "sig=", "gis="),
    "no structured field": lambda r: r.changing("Signature-Input", "sig=", "sig=="),
    "second signature": second_signature,
    "signature of zeros": other_signature(lambda signature: bytes(64)),
    "signature empty": other_signature(lambda signature: b""),
    "signature short": other_signature(lambda signature: signature[:63]),
    "signature long": other_signature(lambda signature: signature + b"\0"),
    "signature by one bit": other_signature(lambda signature: bytes([signature[0] ^ 1]) + signature[1:]),
    "signature plus the group's order": other_signature(plus_order),
}


async def test_of_requests_that_are_signed_wrong_none_is_taken(town: Town, pool: Pool) -> None:
    async with door_of(town) as door:
        taken = []
        for name, change in SIGNED_SO.items():
            sheet = door.sheet()
            change(sheet)
            taken += await _taken(door, name, sheet.request())
        for name, key_id, secret in (
            ("another gate's key", door.gate.text, door.other.secret),
            ("another gate", door.other.text, door.other.secret),
            ("another gate's name", door.other.text, door.gate.secret),
        ):
            sheet = door.sheet()
            sheet.params["keyid"], sheet.secret = f'"{key_id}"', secret
            taken += await _taken(door, name, sheet.request())
        await _check(door, pool, taken, len(SIGNED_SO) + 3)


async def test_of_requests_that_are_changed_afterwards_none_is_taken(town: Town, pool: Pool) -> None:
    async with door_of(town) as door:
        taken = []
        for name, change in CHANGED_AFTERWARDS.items():
            taken += await _taken(door, name, change(door.sheet().request()))
        elsewhere = address(door.gate.text, door.other.text)
        taken += await _taken(door, "at another gate's address", elsewhere(door.sheet().request()))
        await _check(door, pool, taken, len(CHANGED_AFTERWARDS) + 1)


async def test_a_request_sent_again_is_not_taken_again_and_its_nonce_not_for_another(town: Town) -> None:
    async with door_of(town) as door:
        sheet = door.sheet()
        assert (await sheet.request().send(door.client)).status_code == 200
        again = [await sheet.request().send(door.client) for _ in range(3)]
        other = door.sheet()
        other.params["nonce"] = sheet.params["nonce"]
        again.append(await other.request().send(door.client))
        assert [answer.status_code for answer in again] == [401] * 4


async def _taken(door: Door, name: str, request: Request) -> list[str]:
    answer = await request.send(door.client)
    assert answer.status_code in (200, 400, 401, 404, 405), (name, answer.text)
    return [name] if answer.status_code == 200 else []


async def _check(door: Door, pool: Pool, taken: list[str], tried: int) -> None:
    assert taken == []
    async with pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from gate_event") == 0
    assert (await door.sheet().request().send(door.client)).status_code == 200
    print(f"\n{tried} wrong requests, taken 0")
