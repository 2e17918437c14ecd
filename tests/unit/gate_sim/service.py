"""The service's side of the scan contract, small and in memory: what a gate may expect of the real one."""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, VerifyResult, algorithms

from gate_sim.http import Client
from gate_sim.journal import GENESIS
from gate_sim.wire import to_instant_text
from parkflow import core
from tests.unit.gate_sim.signed import NOW_S
from tests.unit.gate_sim.stand_in import HangUp, Request, standing_in

EventName = tuple[int, int]


@dataclass
class Service:
    """Acknowledges what it is sent and remembers the requests; fails as often as it is told to."""

    now_ms: int = NOW_S * 1000
    requests: list[Request] = field(default_factory=list)
    contents: dict[EventName, str] = field(default_factory=dict)
    chains: dict[EventName, bytes] = field(default_factory=dict)
    last_seqs: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    quarantined_for: list[str] = field(default_factory=list)
    bundle: bytes = b""
    # How many requests get no answer, before and after they had their effect, and answers given instead of ours.
    dropped: int = 0
    answers_lost: int = 0
    instead: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)

    def __call__(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        self.requests.append(request)
        if self.dropped:
            self.dropped -= 1
            raise HangUp
        if self.instead:
            return self.instead.pop(0)
        answer = self._answer(request)
        if self.answers_lost:
            self.answers_lost -= 1
            raise HangUp
        return answer

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with standing_in(self) as url, Client(url) as client:
            yield client

    def batches(self) -> list[Any]:
        """The bodies of all uploads, in order of arrival."""
        return [json.loads(request.body) for request in self.requests if request.url.endswith("/scans")]

    def _answer(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        if request.url.endswith("/bundle"):
            return (200, self.bundle, {}) if self.bundle else (304, b"", {})
        said = json.loads(request.body)
        if request.url.endswith("/scans"):
            return 200, self._keep(said), {}
        epoch = said["epoch"]
        if said["last_seq"] < self.last_seqs[epoch]:
            self.quarantined_for.append("journal_went_back")
        self.last_seqs[epoch] = max(self.last_seqs[epoch], said["last_seq"])
        return 200, {**self._progress(epoch), "bundle_version": 1}, {}

    def _keep(self, batch: dict[str, Any]) -> dict[str, Any]:
        epoch, digest = batch["epoch"], bytes.fromhex(batch["prev_hash"])
        known = GENESIS if batch["first_seq"] == 1 else self.chains.get((epoch, batch["first_seq"] - 1))
        if known is not None and known != digest:
            self.quarantined_for.append("chain_broken")
        results = []
        for scan in batch["scans"]:
            text = json.dumps(scan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            digest = hashlib.sha256(digest + hashlib.sha256(text.encode()).digest()).digest()
            results.append({"seq": scan["seq"], "result": self._keep_one((epoch, scan["seq"]), text, digest)})
        self.last_seqs[epoch] = max(self.last_seqs[epoch], batch["scans"][-1]["seq"])
        return {"epoch": epoch, **self._progress(epoch), "results": results}

    def _keep_one(self, name: EventName, text: str, digest: bytes) -> str:
        if name not in self.contents:
            self.contents[name], self.chains[name] = text, digest
            return "accepted"
        if self.contents[name] != text:
            self.quarantined_for.append("conflict")
            return "conflict"
        return "duplicate"

    def _progress(self, epoch: int) -> dict[str, Any]:
        acked_seq = 0
        while (epoch, acked_seq + 1) in self.contents:
            acked_seq += 1
        server_at = to_instant_text(self.now_ms)
        return {"acked_seq": acked_seq, "last_seq": self.last_seqs[epoch], "server_at": server_at}


class _Keys(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        # What stands before the 32 bytes of an Ed25519 key in its DER form (RFC 8410).
        der = bytes.fromhex("302a300506032b6570032100") + core.public_key(b"g" * 32)
        return b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"

    def resolve_private_key(self, key_id: str) -> bytes:
        raise AssertionError("nothing is signed here")


def verified(request: Request) -> VerifyResult:
    """What the signature library says of a request; it has a clock of its own, so any age will do."""
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=_Keys())
    [result] = verifier.verify(request, max_age=timedelta(days=36_500), expect_tag="parkflow-gate", body=request.body)
    found: VerifyResult = result
    return found
