"""A gate that tests make fail: its own list of what it saw, and its uploads until they are acknowledged."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

from parkflow import core
from parkflow.db.conn import Pool
from tests.street import Driver, Scan, StreetGate, content_hash, signed

HOST = "parkflow.test"
# An answer that says: try again.
BUSY = (429, 503)
# Generous: what is waited for comes within a second unless the machine is busy.
WAIT_SECONDS = 60
_nonces = itertools.count(1)


def code_of(driver: Driver, at: datetime) -> str:
    """A code that differs from all others of this process, whatever second it is."""
    return core.make_code(driver.credential, driver.code_secret, int(at.timestamp()), next(_nonces) % (1 << 16))


@dataclass
class GateLog:
    """One gate's journal; `scans[n]` is event n + 1 of the epoch."""

    gate: StreetGate
    scans: list[Scan] = field(default_factory=list)
    acked: int = 0

    def see(self, driver: Driver, at: datetime, **other: object) -> Scan:
        """A driver shows a code, and the barrier opens."""
        return self.add(self.gate.scan(code_of(driver, at), at, **other))

    def add(self, scan: Scan) -> Scan:
        """Write down an event whose `seq` is the next one."""
        assert scan["seq"] == len(self.scans) + 1
        self.scans.append(scan)
        return scan

    def body(self, first: int, last: int, *, at: datetime) -> bytes:
        """The batch of the events `first` to `last`."""
        return batch_body(self.gate.epoch, self.scans[first - 1 : last], prev_hash=self.gate.chain_before(first), at=at)


def batch_body(epoch: int, scans: Sequence[Scan], *, prev_hash: bytes, at: datetime) -> bytes:
    """A batch as a gate writes it."""
    content = {
        "epoch": epoch,
        "first_seq": scans[0]["seq"],
        "prev_hash": prev_hash.hex(),
        "bundle_version": 1,
        "clock": {"gate_at": at.isoformat(), "last_sync_at": at.isoformat(), "offset_ms": 0},
        "scans": list(scans),
    }
    return json.dumps(content, separators=(",", ":")).encode()


async def post(client: httpx.AsyncClient, gate: StreetGate, body: bytes, path: str = "/scans") -> httpx.Response:
    """Sign and send at the real now; the client's base address is where the service listens."""
    message = signed(gate, "POST", path, body, datetime.now(UTC))
    target = f"/v1/gates/{gate.text}{path}"
    return await client.post(target, content=body, headers={**message.headers, "Host": HOST})


async def upload_all(client: httpx.AsyncClient, log: GateLog, *, batch: int = 100) -> list[str]:
    """Send what is not acknowledged, again and again, until it is; all results in the order they came."""
    results: list[str] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while log.acked < len(log.scans):
            last = min(log.acked + batch, len(log.scans))
            answer = await answered(client, log, log.acked + 1, last)
            results += [one["result"] for one in answer["results"]]
            log.acked = answer["acked_seq"]
    return results


async def upload_once(client: httpx.AsyncClient, log: GateLog) -> None:
    """Send all that is not acknowledged, once; raises when there is no answer."""
    answer = await post(client, log.gate, log.body(log.acked + 1, len(log.scans), at=datetime.now(UTC)))
    if answer.status_code == 200:
        log.acked = answer.json()["acked_seq"]


async def answered(client: httpx.AsyncClient, log: GateLog, first: int, last: int) -> dict[str, Any]:
    """Send a batch until there is an answer."""
    while True:
        try:
            answer = await post(client, log.gate, log.body(first, last, at=datetime.now(UTC)))
        except httpx.TransportError:
            await asyncio.sleep(0.02)
            continue
        if answer.status_code in BUSY:
            assert int(answer.headers["Retry-After"]) > 0
            await asyncio.sleep(0.05)
            continue
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


class Difference(NamedTuple):
    """Between what gates saw and what the service has of it."""

    lost: int
    doubled: int
    altered: int


NONE = Difference(0, 0, 0)


async def difference(pool: Pool, logs: Sequence[GateLog]) -> Difference:
    """Of logs whose scans are all genuine codes that were let through, each code once."""
    lost = doubled = altered = 0
    async with pool.acquire() as conn:
        for log in logs:
            key = (log.gate.gate_id, log.gate.epoch)
            events = await conn.fetch(
                "select seq, content_sha256 from gate_event where gate_id = $1 and epoch = $2", *key
            )
            passages = await conn.fetch("select seq from scan where gate_id = $1 and epoch = $2", *key)
            replays = await conn.fetchval("select count(*) from scan_replay where gate_id = $1", key[0])
            expected = {scan["seq"]: content_hash(scan) for scan in log.scans}
            stored = {row["seq"]: row["content_sha256"] for row in events}
            seqs = [row["seq"] for row in passages]
            lost += len(expected.keys() - stored.keys()) + len(expected.keys() - set(seqs))
            doubled += len(events) + len(seqs) - len(stored) - len(set(seqs)) + replays
            altered += sum(expected.get(seq) != digest for seq, digest in stored.items())
    return Difference(lost, doubled, altered)
