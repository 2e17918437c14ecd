"""A gate's requests to the service: scans in batches until acknowledged, heartbeats, bundles; each one signed."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from gate_sim.batch import SCANS_PER_BATCH_MAX, Batch, Stamp, batch_of
from gate_sim.http import Client, NoAnswer, Reply
from gate_sim.journal import Journal, JournalFull
from gate_sim.link import Link, LinkDown
from gate_sim.offset import OffsetEstimate
from gate_sim.signature import Seal, Signer
from gate_sim.wire import to_base64url, to_instant_text
from parkflow import core

_NOT_MODIFIED: Final = 304
_UNAUTHENTICATED: Final = 401
# 429: this gate has too much waiting there; 503: the service has. Both pass.
_LATER: Final = frozenset({429, 503})
# A gate waits a day at most for what a service that is not right in its head may ask.
_RETRY_AFTER_SECONDS_MAX: Final = 86_400
# Answers to a long poll come this much later than asked for, at most.
_POLL_GRACE_SECONDS: Final = 15

# The service takes a signature whose `created` is at most a minute from its own clock.
_CREATED_AWAY_MS: Final = 45_000

Results = Counter[str]
Witness = Callable[[int, Mapping[int, str]], None]


class UplinkRefused(Exception):
    """The service answered and said no; the text is its problem document's code and detail."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a gate's requests are made.

    So many tries with such pauses before a line counts as down; a gate in a loop of its own tries once and backs off.
    `elapsed_ms` measures round trips: it stands still where time is virtual. `witness` is told (epoch, result by seq)
    of every answer that came.
    """

    tries: int = 40
    pause_seconds: float = 0.25
    elapsed_ms: Callable[[], int] = field(default=lambda: 0)
    witness: Witness = field(default=lambda epoch, results: None)


# A service that is restarting is back within ten seconds.
PATIENT: Final = Habits()


class Uplink:
    """The sending side of one gate. `at_ms` is always the gate's clock, unix milliseconds."""

    def __init__(
        self, signer: Signer, journal: Journal, gate_core: core.Gate, link: Link, habits: Habits = PATIENT
    ) -> None:
        self.clock = OffsetEstimate()
        # Why the last upload or heartbeat, and the last poll, did not come through.
        self.upload_failure: LinkDown | None = None
        self.poll_failure: LinkDown | None = None
        self.newest_bundle_version = 0
        # Up to where the service said, last, that it has everything.
        self.acked_by_epoch: dict[int, int] = {}
        self._signer = signer
        self._journal = journal
        self._core = gate_core
        self._link = link
        self._habits = habits
        self._etag: str | None = None
        # By how much `created` is moved while nothing better is known of the clock than what a refusal said.
        self._hint_ms = 0

    async def upload(self, client: Client, *, at_ms: int) -> Results:
        """Send everything that is not acknowledged, oldest first; how many scans got which result, over all sendings.

        Stops quietly when the line is down or the service is busy, with the reason in `upload_failure`; the journal
        keeps the rest. Raises UplinkRefused; the journal keeps everything then too.
        """
        results: Results = Counter()
        self.upload_failure = None
        since = self._since(at_ms)
        try:
            while events := self._journal.unacknowledged(SCANS_PER_BATCH_MAX):
                # After days without a line this goes on for minutes, and a signature is good for one.
                stamp = Stamp(since(), self.clock, self._core.bundle_version)
                batch = batch_of(events, self._journal.prev_hash(), stamp)
                results.update(await self._send_batch(client, batch, stamp.at_ms))
        except LinkDown as down:
            self.upload_failure = down
        except JournalFull:
            # It was sent and will be sent again: a duplicate, as after a lost answer.
            self.upload_failure = LinkDown("the journal cannot note what was acknowledged")
        return results

    async def heartbeat(self, client: Client, *, at_ms: int) -> bool:
        """Tell the service how far this gate's events go; learn the offset of its clock. False if the line is down.

        False as well while an older epoch waits to be sent: a gate that beats for the new one says that it is complete,
        and for the old one that it has less than a service knows which met a newer copy of this journal.
        """
        epoch, last_seq = self._journal.epoch, self._journal.last_seq
        if self._journal.sending.epoch != epoch:
            self.upload_failure = LinkDown("events of an older epoch are sent first")
            return False
        content = {
            "epoch": epoch,
            "last_seq": last_seq,
            "gate_at": to_instant_text(at_ms),
            "offset_ms": self.clock.offset_ms,
            "bundle_version": self._core.bundle_version,
        }
        self.upload_failure = None
        try:
            self._journal.tell(epoch=epoch, seq=last_seq)
            answer = await self._post(client, "heartbeat", _json(content), at_ms)
            self.newest_bundle_version = answer["bundle_version"]
            self._note_progress({**answer, "epoch": epoch}, at_ms)
        except LinkDown as down:
            self.upload_failure = down
        except JournalFull:
            self.upload_failure = LinkDown("the journal is full")
        return self.upload_failure is None

    async def refresh_bundle(self, client: Client, *, at_ms: int, wait_seconds: int = 0) -> bool:
        """Fetch and take a newer bundle if there is one, waiting at the service for one. False if the line is down.

        Raises UplinkRefused, and core.BundleError for a bundle that must not be used.
        """
        headers = {} if self._etag is None else {"If-None-Match": self._etag}
        if wait_seconds:
            headers["Prefer"] = f"wait={wait_seconds}"
        self.poll_failure = None
        since = self._since(at_ms)
        try:
            answer = await self._send(client, _Call("GET", "bundle", b"", headers, wait_seconds), at_ms)
            if answer.status == _NOT_MODIFIED:
                self._core.confirm_bundle(since() // 1000)
                return True
            _raise_for("bundle", answer)
            await self._take(client, answer.body, since())
        except LinkDown as down:
            # The bundle may have come without its filter: the next time both are asked for again.
            self.poll_failure = down
            return False
        self._etag = answer.headers.get("etag")
        return True

    async def ask_denied(self, client: Client, *, kid: int, subject: bytes, at_ms: int) -> bool | None:
        """Whether a subject that the filter hits is really denied; None if the line is down."""
        content = _json({"kid": kid, "subject": to_base64url(subject)})
        try:
            answer = await self._post(client, "denials", content, at_ms)
        except LinkDown:
            return None
        return bool(answer["denied"])

    async def send_once(self, client: Client, batch: Batch, *, at_ms: int) -> None:
        """Send a batch of this gate's own making, whatever else waits; its answer frees nothing. Raises LinkDown."""
        self._journal.tell(epoch=batch.epoch, seq=batch.last_seq)
        answer = await self._post(client, "scans", batch.body, at_ms)
        self._habits.witness(batch.epoch, {one["seq"]: str(one["result"]) for one in answer["results"]})

    async def _send_batch(self, client: Client, batch: Batch, at_ms: int) -> Results:
        self._journal.tell(epoch=batch.epoch, seq=batch.last_seq)
        answer = await self._post(client, "scans", batch.body, at_ms)
        sent = range(batch.first_seq, batch.last_seq + 1)
        by_seq = {one["seq"]: str(one["result"]) for one in answer["results"] if one["seq"] in sent}
        self._habits.witness(batch.epoch, by_seq)
        if self._link.loses_answer(at_ms):
            return Counter(by_seq.values())
        before = self._journal.waiting
        went_on = self._note_progress(answer, at_ms)
        if went_on and self._journal.waiting >= before:
            raise UplinkRefused(
                f"gate {self._signer.gate}: the service acknowledged nothing: epoch {answer['epoch']} is acknowledged "
                f"up to {answer['acked_seq']}, and {batch.first_seq} to {batch.last_seq} of {batch.epoch} were sent"
            )
        return Counter(by_seq.values())

    def _note_progress(self, answer: Mapping[str, Any], at_ms: int) -> bool:
        """Take what is acknowledged out of the journal; False if the journal turned out to be an older copy."""
        epoch, acked_seq = answer["epoch"], answer["acked_seq"]
        self.acked_by_epoch[epoch] = acked_seq
        # A service that does not tell the last seq it knows of knows at least of what it acknowledged.
        if self._journal.knows_more(epoch=epoch, seq=max(acked_seq, answer.get("last_seq", 0))):
            self._journal.begin_epoch(now_s=at_ms // 1000)
            self._journal.acknowledge(epoch=epoch, seq=acked_seq)
            return False
        self._journal.acknowledge(epoch=epoch, seq=acked_seq)
        return True

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
            answer = await self._send(client, _Call("GET", f"filters/{name.hex()}"), at_ms)
            _raise_for("filter", answer)
            self._core.take_bundle(bundle, now_s=at_ms // 1000, filter=answer.body)

    async def _post(self, client: Client, what: str, body: bytes, at_ms: int) -> dict[str, Any]:
        since = self._since(at_ms)
        answer = await self._send(client, _Call("POST", what, body, {"Content-Type": "application/json"}), at_ms)
        received_ms = since()
        _raise_for(what, answer)
        parsed: dict[str, Any] = answer.json()
        if "server_at" in parsed:
            server_ms = round(datetime.fromisoformat(parsed["server_at"]).timestamp() * 1000)
            self.clock.add(sent_ms=at_ms, received_ms=received_ms, server_ms=server_ms)
        return parsed

    def _since(self, at_ms: int) -> Callable[[], int]:
        """The gate's clock, which showed `at_ms` when this was called."""
        began_ms = self._habits.elapsed_ms()
        return lambda: at_ms + self._habits.elapsed_ms() - began_ms

    async def _send(self, client: Client, request: "_Call", at_ms: int) -> Reply:
        """The service's answer, whatever it says except later. Raises LinkDown."""
        if not self._link.is_up(at_ms):
            raise LinkDown("the line is down")
        wait_s, why, since = 0, "no answer", self._since(at_ms)
        for attempt in range(self._habits.tries):
            if attempt:
                await asyncio.sleep(max(self._habits.pause_seconds, wait_s))
            try:
                answer = await self._signed(client, request, since())
                if answer.status == _UNAUTHENTICATED and self._take_hint(answer, since()):
                    answer = await self._signed(client, request, since())
            except NoAnswer as error:
                wait_s, why = 0, str(error)
                continue
            if answer.status not in _LATER:
                return answer
            wait_s, why = _retry_after_s(answer), f"{request.what}: {_problem(answer)}"
        raise LinkDown(why, retry_after_s=wait_s)

    async def _signed(self, client: Client, request: "_Call", at_ms: int) -> Reply:
        url = f"{client.base_url}/v1/gates/{self._signer.gate}/{request.what}"
        # Signed again for each try: the service takes a nonce once. `created` is in the service's time.
        seal = Seal((at_ms + self._ahead_ms) // 1000, secrets.token_urlsafe(16))
        headers = {**request.headers, **self._signer.headers(request.method, url, request.body, seal)}
        longer = request.wait_seconds + _POLL_GRACE_SECONDS if request.wait_seconds else None
        return await client.request(request.method, url, body=request.body, headers=headers, answer_seconds=longer)

    @property
    def _ahead_ms(self) -> int:
        return self.clock.offset_ms if self.clock.last_sync_ms is not None else self._hint_ms

    def _take_hint(self, answer: Reply, at_ms: int) -> bool:
        """Whether a refusal's Date says that the time of our signature is the reason; then the next one has its time.

        Nothing else believes it: it is not authenticated, and scans keep the gate's own time in any case.
        """
        try:
            said_ms = round(parsedate_to_datetime(answer.headers["date"]).timestamp() * 1000)
        except (KeyError, ValueError, TypeError):
            return False
        if abs(said_ms - at_ms - self._ahead_ms) < _CREATED_AWAY_MS:
            return False
        self.clock = OffsetEstimate()
        self._hint_ms = said_ms - at_ms
        return True


@dataclass(frozen=True, slots=True)
class _Call:
    """One request: `what` is asked of the gate's own resource, and the answer may be so many seconds late."""

    method: str
    what: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: int = 0


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _retry_after_s(answer: Reply) -> int:
    text = answer.headers.get("retry-after", "")
    return min(int(text), _RETRY_AFTER_SECONDS_MAX) if text.isascii() and text.isdecimal() else 0


def _problem(answer: Reply) -> str:
    try:
        problem = answer.json()
        return f"{answer.status} {problem.get('code')}: {problem.get('detail')}"
    except (ValueError, AttributeError):
        return f"{answer.status} {answer.body[:200].decode(errors='replace')}"


def _raise_for(what: str, answer: Reply) -> None:
    if not answer.is_success:
        raise UplinkRefused(f"{what}: {_problem(answer)}")
