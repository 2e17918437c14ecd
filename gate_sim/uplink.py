"""A gate's requests to the service: scans in batches until acknowledged, heartbeats, bundles; each one signed.

Signatures are HTTP Message Signatures (RFC 9421) by the gate's Ed25519 key over method, authority, path, query and
Content-Digest (RFC 9530), with `created` and a nonce.
"""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from http_message_signatures import HTTPMessageSigner, algorithms

from gate_sim.http import Client, NoAnswer, Reply
from gate_sim.journal import Event, Journal
from gate_sim.link import Link, LinkDown
from gate_sim.wire import to_base64url, to_instant_text
from parkflow import core

SCANS_PER_BATCH_MAX = 2_000
BATCH_BYTES_MAX = 1 << 20
_BYTES_AROUND_SCANS = 1_024
_BYTES_AROUND_SCAN = 32
_COVERED = ("@method", "@authority", "@path", "@query", "content-digest")
# A service that is restarting is back within seconds; a gate asks again that long before it waits for the next minute.
_TRIES_MAX = 40
_PAUSE_SECONDS = 0.25
_NOT_MODIFIED = 304
_SERVICE_UNAVAILABLE = 503

Results = Counter[str]


class UplinkRefused(Exception):
    """The service answered and said no; the text is its problem document's code and detail."""


@dataclass(slots=True)
class Message:
    """A request in the shape that the signing library reads and writes."""

    method: str
    url: str
    headers: dict[str, str]


class Uplink:
    """The sending side of one gate."""

    def __init__(self, gate: str, secret: bytes, journal: Journal, gate_core: core.Gate, link: Link) -> None:
        self._gate = gate
        self._secret = secret
        self._journal = journal
        self._core = gate_core
        self._link = link
        self._etag: str | None = None
        self._last_sync_ms: int | None = None
        self._offset_ms = 0

    async def upload(self, client: Client, *, at_ms: int) -> Results:
        """Send everything that is not acknowledged; how many scans got which result, over all sendings.

        Stops quietly when the line is down: the journal keeps the rest.
        """
        results: Results = Counter()
        while events := _within_bytes(self._journal.unacknowledged(SCANS_PER_BATCH_MAX)):
            try:
                answer = await self._post(client, "scans", self._batch(events, at_ms), at_ms)
            except LinkDown:
                break
            sent = {event.seq for event in events}
            results.update(str(one["result"]) for one in answer["results"] if one["seq"] in sent)
            if self._link.loses_answer(at_ms):
                continue
            before = self._journal.acked_seq
            self._journal.acknowledge(epoch=answer["epoch"], seq=answer["acked_seq"])
            if self._journal.acked_seq == before:
                raise UplinkRefused(f"gate {self._gate}: the service acknowledged nothing: {answer}")
        return results

    async def heartbeat(self, client: Client, *, at_ms: int) -> bool:
        """Tell the service how far this gate's events go; learn the offset of its clock. False if the line is down."""
        content = {
            "epoch": self._journal.epoch,
            "last_seq": self._journal.last_seq,
            "gate_at": to_instant_text(at_ms),
            "offset_ms": self._offset_ms,
            "bundle_version": self._core.bundle_version,
        }
        try:
            answer = await self._post(client, "heartbeat", content, at_ms)
        except LinkDown:
            return False
        self._offset_ms = round(datetime.fromisoformat(answer["server_at"]).timestamp() * 1000) - at_ms
        self._last_sync_ms = at_ms
        return True

    async def refresh_bundle(self, client: Client, *, at_ms: int) -> bool:
        """Fetch and take a newer bundle if there is one. False if the line is down."""
        headers = {} if self._etag is None else {"If-None-Match": self._etag}
        try:
            answer = await self._send(client, "GET", "bundle", b"", headers, at_ms)
        except LinkDown:
            return False
        if answer.status == _NOT_MODIFIED:
            self._core.confirm_bundle(at_ms // 1000)
            return True
        _raise_for("bundle", answer)
        try:
            await self._take(client, answer.body, at_ms)
        except LinkDown:
            # The bundle came and its filter did not: the next time both are asked for again.
            return False
        self._etag = answer.headers.get("etag")
        return True

    async def ask_denied(self, client: Client, *, kid: int, subject: bytes, at_ms: int) -> bool | None:
        """Whether a subject that the filter hits is really denied; None if the line is down."""
        try:
            answer = await self._post(client, "denials", {"kid": kid, "subject": to_base64url(subject)}, at_ms)
        except LinkDown:
            return None
        return bool(answer["denied"])

    async def _take(self, client: Client, bundle: bytes, at_ms: int) -> None:
        """Use a bundle, with the filter that it names. One that is not newer is the one in use, after a restart."""
        try:
            self._core.take_bundle(bundle, now_s=at_ms // 1000)
        except core.BundleError as refusal:
            if refusal.code == "not_newer":
                self._core.confirm_bundle(at_ms // 1000)
                return
            if refusal.code != "filter_missing":
                raise
            name = self._core.filter_of(bundle)
            assert name is not None, "a bundle whose filter is missing names one"
            answer = await self._send(client, "GET", f"filters/{name.hex()}", b"", {}, at_ms)
            _raise_for("filter", answer)
            self._core.take_bundle(bundle, now_s=at_ms // 1000, filter=answer.body)

    def _batch(self, events: Sequence[Event], at_ms: int) -> dict[str, object]:
        scans = [{"seq": event.seq, **event.content} for event in events]
        synced = self._last_sync_ms
        return {
            "epoch": self._journal.epoch,
            "first_seq": scans[0]["seq"],
            "prev_hash": self._journal.prev_hash().hex(),
            "bundle_version": self._core.bundle_version,
            "clock": {
                "gate_at": to_instant_text(at_ms),
                "last_sync_at": None if synced is None else to_instant_text(synced),
                "offset_ms": self._offset_ms,
            },
            "scans": scans,
        }

    async def _post(self, client: Client, what: str, content: object, at_ms: int) -> dict[str, Any]:
        body = json.dumps(content, separators=(",", ":")).encode()
        answer = await self._send(client, "POST", what, body, {"Content-Type": "application/json"}, at_ms)
        _raise_for(what, answer)
        parsed: dict[str, Any] = answer.json()
        return parsed

    async def _send(
        self, client: Client, method: str, what: str, body: bytes, headers: dict[str, str], at_ms: int
    ) -> Reply:
        if not self._link.is_up(at_ms):
            raise LinkDown
        url = f"{client.base_url}/v1/gates/{self._gate}/{what}"
        for _ in range(_TRIES_MAX):
            # Signed again for each try: the service takes a nonce once.
            message = self._signed(method, url, headers, body, at_ms)
            try:
                answer = await client.request(method, url, body=body, headers=message.headers)
            except NoAnswer:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if answer.status != _SERVICE_UNAVAILABLE:
                return answer
            await asyncio.sleep(_PAUSE_SECONDS)
        raise LinkDown

    def _signed(self, method: str, url: str, headers: dict[str, str], body: bytes, at_ms: int) -> Message:
        message = Message(method, url, dict(headers))
        signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519)
        prepared = signer.prepare(
            message,
            key_id=self._gate,
            created=datetime.fromtimestamp(at_ms // 1000, UTC),
            nonce=secrets.token_urlsafe(16),
            tag="parkflow-gate",
            covered_component_ids=_COVERED,
            body=body,
        )
        signer.apply(message, prepared, core.sign(self._secret, prepared.signature_base))
        return message


def _within_bytes(events: Sequence[Event]) -> Sequence[Event]:
    """As many of the first events as one request body may hold."""
    size = _BYTES_AROUND_SCANS
    for index, event in enumerate(events):
        size += len(json.dumps(event.content)) + _BYTES_AROUND_SCAN
        if size > BATCH_BYTES_MAX:
            return events[:index]
    return events


def _raise_for(what: str, answer: Reply) -> None:
    if answer.is_success:
        return
    try:
        problem = answer.json()
        reason = f"{problem.get('code')}: {problem.get('detail')}"
    except ValueError:
        reason = answer.body[:200].decode(errors="replace")
    raise UplinkRefused(f"{what}: {answer.status} {reason}")
