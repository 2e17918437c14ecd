"""A gate's uploads: signed, repeated until acknowledged, silent while the line is down."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, VerifyResult, algorithms

from gate_sim.http import Client
from gate_sim.uplink import UplinkRefused
from parkflow import core
from tests.unit.gate_sim.signed import NOW_S, bundle_of, make_gate, phone_with_credential
from tests.unit.gate_sim.stand_in import HangUp, Request, standing_in

NOW_MS = NOW_S * 1000


@dataclass
class Service:
    """The other end of the line: acknowledges what it is sent and remembers the requests."""

    requests: list[Request] = field(default_factory=list)
    known: set[tuple[int, int]] = field(default_factory=set)
    failures: int = 0

    def __call__(self, request: Request) -> tuple[int, Any]:
        self.requests.append(request)
        if self.failures:
            self.failures -= 1
            raise HangUp
        batch = json.loads(request.body)
        results = []
        for scan in batch["scans"]:
            event = (batch["epoch"], scan["seq"])
            results.append({"seq": scan["seq"], "result": "duplicate" if event in self.known else "accepted"})
            self.known.add(event)
        acked = max(seq for _, seq in self.known)
        return 200, {"epoch": batch["epoch"], "acked_seq": acked, "results": results}

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with standing_in(self) as url, Client(url) as client:
            yield client


async def test_everything_is_sent_once_and_forgotten(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    phone, _ = phone_with_credential()
    for minute in range(3):
        gate.show(phone.code_at(NOW_S + 60 * minute), at_ms=NOW_MS + 60_000 * minute)
    async with service.client() as client:
        results = await gate.uplink.upload(client, at_ms=NOW_MS + 180_000)
    assert results == {"accepted": 3}
    assert not gate.journal.unacknowledged(10)


async def test_a_lost_answer_makes_the_gate_send_the_batch_twice(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    phone, _ = phone_with_credential()
    gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    gate.link.answers_lost_at_ms.append(NOW_MS)
    async with service.client() as client:
        assert await gate.uplink.upload(client, at_ms=NOW_MS + 60_000) == {"accepted": 1, "duplicate": 1}
    first, second = (json.loads(request.body)["scans"] for request in service.requests)
    assert first == second


async def test_a_gate_without_a_line_keeps_its_journal(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    phone, _ = phone_with_credential()
    gate.link.offline.append((NOW_MS, NOW_MS + 7_200_000))
    gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    async with service.client() as client:
        assert not await gate.uplink.upload(client, at_ms=NOW_MS + 7_199_999)
        assert not service.requests
        assert await gate.uplink.upload(client, at_ms=NOW_MS + 7_200_000) == {"accepted": 1}


async def test_a_service_that_restarts_gets_the_batch_again(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service(failures=1)
    phone, _ = phone_with_credential()
    gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    async with service.client() as client:
        assert await gate.uplink.upload(client, at_ms=NOW_MS) == {"accepted": 1}
    nonces = {request.headers["signature-input"] for request in service.requests}
    assert len(nonces) == 2


async def test_the_signature_covers_the_request_and_its_content(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    phone, _ = phone_with_credential()
    gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    async with service.client() as client:
        await gate.uplink.upload(client, at_ms=NOW_MS + 60_000)
    (request,) = service.requests
    (verified,) = _verify(request)
    assert set(verified.covered_components) == {
        '"@method"', '"@authority"', '"@path"', '"@query"', '"content-digest"', '"@signature-params"'
    }  # fmt: skip
    assert verified.parameters["created"] == NOW_S + 60
    assert verified.parameters["keyid"] == gate.post.gate
    assert verified.parameters["tag"] == "parkflow-gate"


async def test_a_refusal_of_the_service_is_said_with_its_code(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    gate.show("PF1:", at_ms=NOW_MS)

    def refuse(request: Request) -> tuple[int, Any]:
        return 403, {"code": "gate_quarantined", "detail": "call the operator"}

    async with standing_in(refuse) as url, Client(url) as client:
        with pytest.raises(UplinkRefused, match="gate_quarantined"):
            await gate.uplink.upload(client, at_ms=NOW_MS)
    assert gate.journal.unacknowledged(10)


class _Keys(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = Ed25519PrivateKey.from_private_bytes(b"g" * 32).public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def resolve_private_key(self, key_id: str) -> bytes:
        raise AssertionError("nothing is signed here")


def _verify(request: Request) -> list[VerifyResult]:
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=_Keys())
    return list(verifier.verify(request, max_age=timedelta(days=36_500), expect_tag="parkflow-gate", body=request.body))


async def test_a_line_that_breaks_between_bundle_and_filter_leaves_the_old_bundle(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    deny_filter = core.DenyFilter.build(bytes(16))
    minute_ms = 60_000

    def answer(request: Request) -> tuple[int, bytes]:
        if "/filters/" in request.url:
            return 200, bytes(deny_filter)
        gate.link.offline.append((NOW_MS, NOW_MS + minute_ms))
        return 200, bundle_of(2, deny_filter=deny_filter)

    async with standing_in(answer) as url, Client(url) as client:
        assert not await gate.uplink.refresh_bundle(client, at_ms=NOW_MS)
        assert gate.core.bundle_version == 1
        assert await gate.uplink.refresh_bundle(client, at_ms=NOW_MS + minute_ms)
    assert gate.core.bundle_version == 2
