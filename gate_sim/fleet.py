"""All gates and all drivers of a town, played in order of the virtual clock."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gate_sim.driver import Driver
from gate_sim.gate import Gate
from gate_sim.http import Client
from gate_sim.scenario import OFFLINE_MS, Screenshot, Trouble
from gate_sim.town import Passage
from gate_sim.uplink import Results

UPLINKS_AT_ONCE = 8
SCREENSHOT_LAG_MS = 120_000
T = TypeVar("T")


@dataclass(slots=True)
class Fleet:
    """The gates by (lot, direction) and the drivers by name, with what has been counted so far."""

    gates: Mapping[tuple[str, str], Gate]
    drivers: Mapping[str, Driver]
    verdicts: Counter[str] = field(default_factory=Counter)
    results: Results = field(default_factory=Counter)

    def prepare(self, trouble: Trouble, *, late_until_ms: int) -> None:
        """Break the lines as the scenario wants; the late gate is silent until `late_until_ms`."""
        start = trouble.offline_from_ms
        self.gates[trouble.offline_gate].link.offline.append((start, start + OFFLINE_MS))
        self.gates[trouble.twice_gate].link.answers_lost_at_ms.append(trouble.twice_at_ms)
        self.gates[trouble.late_gate].link.offline.append((trouble.late_from_ms, late_until_ms))
        # The service keeps the passage that it hears of first; the picture's gate is slower than the real one.
        shown_at = trouble.screenshot.at_ms
        self.gates[trouble.screenshot.lot, "entry"].link.offline.append((shown_at, shown_at + SCREENSHOT_LAG_MS))

    def play(self, passages: Iterable[Passage]) -> None:
        """Cars drive up, phones show codes, gates decide and write down. No network."""
        for passage in passages:
            code = self.drivers[passage.driver].phone.code_at(passage.at_ms // 1000)
            gate = self.gates[passage.lot, passage.direction]
            self.verdicts[gate.show(code, at_ms=passage.at_ms).verdict] += 1

    def play_screenshot(self, screenshot: Screenshot) -> None:
        """A picture of a code that has just opened one gate is held under another one."""
        taken = screenshot.taken
        code = self.drivers[taken.driver].phone.code_at(taken.at_ms // 1000)
        verdict = self.gates[screenshot.lot, "entry"].show(code, at_ms=screenshot.at_ms).verdict
        self.verdicts[verdict] += 1

    async def upload(self, client: Client, *, at_ms: int) -> None:
        """Every gate with something in its journal and a working line sends it."""
        waiting = [gate for gate in self.gates.values() if gate.journal.waiting]
        for results in await _bounded([gate.uplink.upload(client, at_ms=at_ms) for gate in waiting]):
            self.results.update(results)

    async def sync(self, client: Client, *, at_ms: int) -> None:
        """Every gate with a working line fetches the bundle and sends a heartbeat."""
        await _bounded([_sync_one(gate, client, at_ms) for gate in self.gates.values()])

    def left_in_journals(self) -> int:
        """Events that no service has acknowledged."""
        return sum(gate.journal.waiting for gate in self.gates.values())


async def _sync_one(gate: Gate, client: Client, at_ms: int) -> None:
    await gate.uplink.refresh_bundle(client, at_ms=at_ms)
    await gate.uplink.heartbeat(client, at_ms=at_ms)


async def _bounded(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    lines = asyncio.Semaphore(UPLINKS_AT_ONCE)

    async def one(call: Coroutine[Any, Any, T]) -> T:
        async with lines:
            return await call

    return list(await asyncio.gather(*(one(call) for call in calls)))
