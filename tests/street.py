"""A street for tests: lots with gates that sign their uploads, and drivers whose phones make real codes."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from http_message_signatures import HTTPMessageSigner, algorithms

from parkflow import core
from parkflow.api.gate_auth import COVERED, TAG
from parkflow.card import service as card_service
from parkflow.credential import keys as credential_keys
from parkflow.credential import service as credential_service
from parkflow.credential.rules import CredentialRequest
from parkflow.db.conn import Conn
from parkflow.gate import service as gate_service
from parkflow.gate.rules import chain_hash
from parkflow.kit.ids import bucket_of, new_id, to_text
from parkflow.lot import service as lot_service
from parkflow.lot.rules import Direction
from parkflow.lot.service import NewLot
from parkflow.services import Services
from tests import seed
from tests.edge import BASE_URL

Scan = dict[str, Any]


def content_hash(scan: Scan) -> bytes:
    """SHA-256 over the scan's RFC 8785 text; Python's JSON is the same for strings, integers and booleans."""
    return hashlib.sha256(json.dumps(scan, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).digest()


@dataclass
class StreetGate:
    """A gate with its key and the place in its journal."""

    gate_id: int
    lane_id: int
    direction: str
    secret: bytes
    epoch: int = 1_508_500_000
    last_seq: int = 0
    # The chain hash after each event of each epoch, as the journal has it.
    chain: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return to_text(gate_service.ID_PREFIX, self.gate_id)

    def scan(self, code: str | None, at: datetime, **other: object) -> Scan:
        """The next event of the journal."""
        self.last_seq += 1
        known: Scan = {
            "seq": self.last_seq,
            "at_ms": round(at.timestamp() * 1000),
            "lane": "a",
            "direction": self.direction,
            "medium": "code",
            "code": code,
            "verdict": "accepted",
        }
        scan = {name: value for name, value in {**known, **other}.items() if value is not None}
        self.chain[self.epoch, self.last_seq] = chain_hash(self.chain_before(self.last_seq), content_hash(scan))
        return scan

    def chain_before(self, seq: int) -> bytes:
        """The chain hash before an event of the journal."""
        return self.chain.get((self.epoch, seq - 1), bytes(32))

    def batch(self, *scans: Scan, at: datetime, **other: object) -> bytes:
        """The body of an upload; `other` takes the place of its members."""
        content = {
            "epoch": self.epoch,
            "first_seq": scans[0]["seq"] if scans else 1,
            "prev_hash": self.chain_before(scans[0]["seq"] if scans else 1).hex(),
            "bundle_version": 1,
            "clock": {"gate_at": at.isoformat(), "last_sync_at": None, "offset_ms": 0},
            "scans": list(scans),
            **other,
        }
        return json.dumps(content).encode()


@dataclass
class Driver:
    """A driver with a card and the credential of the day."""

    card_id: int
    code_secret: bytes
    credential: bytes

    def code(self, at: datetime) -> str:
        """What the phone shows at `at`."""
        return core.make_code(self.credential, self.code_secret, int(at.timestamp()), secrets.randbelow(1 << 16))


@dataclass
class Message:
    """A request in the shape that the signing library reads and writes."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


async def open_lot(
    conn: Conn, operator_id: int, reference: str, now: datetime, directions: Sequence[str] = ("entry", "exit")
) -> tuple[int, list[StreetGate]]:
    """A lot with one gate per direction."""
    new = NewLot(reference, reference, "America/New_York")
    lot = await lot_service.create_lot(conn, operator_id=operator_id, new=new, now=now)
    gates = []
    for direction in directions:
        lane = await lot_service.create_lane(
            conn,
            operator_id=operator_id,
            lot_id=lot.lot_id,
            reference=direction,
            direction=Direction(direction),
            now=now,
        )
        secret = secrets.token_bytes(32)
        gate = await gate_service.register(
            conn, operator_id=operator_id, lane_id=lane.lane_id, public_key=core.public_key(secret), now=now
        )
        gates.append(StreetGate(gate.gate_id, lane.lane_id, direction, secret))
    return lot.lot_id, gates


async def enrol(conn: Conn, services: Services, operator_id: int, now: datetime) -> Driver:
    """A driver whose phone has asked for a credential and got it."""
    _, card_id = await seed.driver_with_card(conn, services.vault, operator_id=operator_id)
    device_secret, code_secret = secrets.token_bytes(32), secrets.token_bytes(32)
    device_id = new_id(bucket_of(card_id))
    await conn.execute(
        "insert into device (bucket, device_id, card_id, public_key, enrolled_at) values ($1, $2, $3, $4, $5)",
        bucket_of(card_id),
        device_id,
        card_id,
        core.public_key(device_secret),
        now,
    )
    unsigned = CredentialRequest(device_id, core.public_key(code_secret), int(now.timestamp()), b"")
    signature = core.sign_message(device_secret, "credential-request/1", unsigned.message(card_id))
    issued = await credential_service.issue(
        conn,
        services.vault,
        card=await card_service.lock_card(conn, bucket_of(card_id), card_id),
        request=unsigned._replace(signature=signature),
        lifetime=timedelta(hours=24),
        now=now,
    )
    return Driver(card_id, code_secret, issued.credential)


async def forged_driver(
    conn: Conn, services: Services, operator_id: int, now: datetime, *, card_id: int | None = None
) -> Driver:
    """Someone who has the issuer's secrets and makes credentials that were never issued, of a new card or of one."""
    if card_id is None:
        _, card_id = await seed.driver_with_card(conn, services.vault, operator_id=operator_id)
    key = await credential_keys.ensure_issuer_key(conn, services.vault, operator_id, now=now)
    signer = credential_keys.open_signer(services.vault, key)
    code_secret = secrets.token_bytes(32)
    fields = core.CredentialFields(
        kid=signer.kid,
        subject=core.seal_subject(signer.subject_key, card_id, 1),
        code_key=core.public_key(code_secret),
        not_before_s=int(now.timestamp()) - 60,
        lifetime_minutes=60,
        product=signer.product,
        ceiling=0,
    )
    return Driver(card_id, code_secret, core.issue_credential(signer.secret, fields))


def signed(
    gate: StreetGate,
    method: str,
    path: str,
    body: bytes,
    now: datetime,
    *,
    covered: Sequence[str] = COVERED,
    tag: str | None = TAG,
    nonce: str | None = "",
    secret: bytes | None = None,
    key_id: str | None = None,
) -> Message:
    """A request signed as a gate signs it, or nearly so."""
    message = Message(method, f"{BASE_URL}/v1/gates/{gate.text}{path}")
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519)
    prepared = signer.prepare(
        message,
        key_id=key_id or gate.text,
        created=now.astimezone(UTC),
        nonce=secrets.token_urlsafe(16) if nonce == "" else nonce,
        tag=tag,
        covered_component_ids=covered,
        body=body if "content-digest" in covered else None,
    )
    signer.apply(message, prepared, core.sign(secret or gate.secret, prepared.signature_base))
    return message


async def send(client: httpx.AsyncClient, message: Message, body: bytes, **headers: str) -> httpx.Response:
    """Send a signed request."""
    return await client.request(message.method, message.url, content=body, headers={**message.headers, **headers})


async def upload(client: httpx.AsyncClient, gate: StreetGate, now: datetime, *scans: Scan) -> httpx.Response:
    """Send scans as one signed batch."""
    body = gate.batch(*scans, at=now)
    return await send(client, signed(gate, "POST", "/scans", body, now), body)


async def beat(client: httpx.AsyncClient, gate: StreetGate, now: datetime) -> httpx.Response:
    """Send a heartbeat that says that the journal goes as far as it does."""
    content = {
        "epoch": gate.epoch,
        "last_seq": gate.last_seq,
        "gate_at": now.isoformat(),
        "offset_ms": 0,
        "bundle_version": 0,
    }
    body = json.dumps(content).encode()
    return await send(client, signed(gate, "POST", "/heartbeat", body, now), body)


def results(answer: httpx.Response) -> list[str]:
    """The result of each scan, in the order sent."""
    assert answer.status_code == 200, answer.text
    return [one["result"] for one in answer.json()["results"]]
