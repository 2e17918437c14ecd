"""Gates that send more than a service can take, and do not care what it says."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from tests.gate_log import BUSY, GateLog, post
from tests.street import Driver

# Less than any Retry-After, and so often that sixteen gates try several times what is taken.
_PAUSE_SECONDS = 0.05


@dataclass
class Flood:
    """What gates at once tried and what became of it.

    Their journals are written beforehand, in `batches` batches each: sending is then cheaper than taking in.
    """

    logs: Sequence[GateLog]
    codes: Sequence[str]
    batch: int
    batches: int
    statuses: Counter[int] = field(default_factory=Counter)
    answered_scans: int = 0
    is_on: bool = True
    bodies: dict[int, list[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at = datetime.now(UTC)
        for log in self.logs:
            for _ in range(self.batches):
                for code in self.codes:
                    log.add(log.gate.scan(code, at))
            firsts = range(1, len(log.scans), self.batch)
            self.bodies[log.gate.gate_id] = [log.body(first, first + self.batch - 1, at=at) for first in firsts]

    @property
    def refused(self) -> int:
        """How often a gate was told to wait."""
        return sum(self.statuses[status] for status in BUSY)

    async def run(self, client: httpx.AsyncClient) -> None:
        """Send until `is_on` is taken back; each gate one batch after the other."""
        await asyncio.gather(*(self._send_on(client, log) for log in self.logs))

    async def _send_on(self, client: httpx.AsyncClient, log: GateLog) -> None:
        # When all is sent it begins again: that is no less work for the service.
        for body in itertools.cycle(self.bodies[log.gate.gate_id]):
            while self.is_on and not await self._send(client, log, body):  # noqa: ASYNC110
                await asyncio.sleep(_PAUSE_SECONDS)
            if not self.is_on:
                return

    async def _send(self, client: httpx.AsyncClient, log: GateLog, body: bytes) -> bool:
        answer = await post(client, log.gate, body)
        self.statuses[answer.status_code] += 1
        if answer.status_code != 200:
            assert answer.status_code in BUSY, answer.text
            assert int(answer.headers["Retry-After"]) > 0
            return False
        self.answered_scans += len(answer.json()["results"])
        log.acked = answer.json()["acked_seq"]
        return True


def codes_of(driver: Driver, count: int) -> list[str]:
    """Genuine codes: each costs the service a signature, whether it was seen before or not."""
    at = datetime.now(UTC) - timedelta(seconds=1)
    return [driver.code(at) for _ in range(count)]
