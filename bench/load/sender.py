"""Sending uploads: one signed POST each, refusals honoured, every answer counted; closed loop and open loop."""

import asyncio
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.load.journals import Upload
from bench.load.signing import Signer
from bench.load.town import TownGate
from gate_sim.http import Client, NoAnswer

_BUSY: Final = frozenset({429, 503})
# A service that says nothing of when to come back is asked again after this.
_PAUSE_SECONDS: Final = 1.0
# Gates come back a little after they were told to, each at its own moment.
_JITTER: Final = 0.25
# Of a gate's interval, by which uploads move to and fro.
_WOBBLE: Final = 0.1


class UploadRefused(Exception):
    """The service refused a batch for good; the run is worthless then."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch by the clock of `time.perf_counter`: when it was due, and when it was acknowledged."""

    due: float
    acknowledged: float
    scans: int

    @property
    def seconds(self) -> float:
        return self.acknowledged - self.due


@dataclass(slots=True)
class Tally:
    """What came of the uploads of one phase."""

    samples: list[Sample] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    lost_answers: int = 0

    @property
    def scans(self) -> int:
        return sum(sample.scans for sample in self.samples)

    def per_second(self, begun: float, ended: float) -> float:
        """Scans acknowledged in [begun, ended) a second."""
        inside = sum(sample.scans for sample in self.samples if begun <= sample.acknowledged < ended)
        return inside / (ended - begun)

    def percentile_ms(self, share: float) -> float:
        return percentile([sample.seconds for sample in self.samples], share) * 1_000


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Sender:
    """Gates at one service, each of which sends one batch at a time."""

    def __init__(self, base_url: str, *, seed: int) -> None:
        self.seed = seed
        self._client = Client(base_url)
        self._authority = base_url.removeprefix("http://")
        self._dice = random.Random(seed)
        self._turns: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def send(self, upload: Upload, tally: Tally, *, due: float | None = None) -> None:
        """Send until acknowledged, waiting as the service asks; counted from when it was due."""
        due = time.perf_counter() if due is None else due
        async with self._turns[upload.gate.gate_id]:
            results = await self.post(upload.gate, upload.body, tally)
        tally.samples.append(Sample(due, time.perf_counter(), upload.count))
        tally.results.update(results)

    async def post(self, gate: TownGate, body_at: Callable[[int], bytes], tally: Tally) -> Counter[str]:
        """The results of one batch, whose body is made anew for each try. Raises UploadRefused."""
        signer = Signer(gate.text, gate.secret, self._authority)
        path = signer.path("scans")
        while True:
            now_ms = time.time_ns() // 1_000_000
            body = body_at(now_ms)
            headers = {"Content-Type": "application/json"}
            headers |= signer.headers("POST", path, body, created_s=now_ms // 1_000)
            try:
                answer = await self._client.request("POST", path, body=body, headers=headers)
            except NoAnswer:
                tally.lost_answers += 1
                await self._pause(_PAUSE_SECONDS)
                continue
            if answer.is_success:
                return Counter(str(one["result"]) for one in answer.json()["results"])
            if answer.status not in _BUSY:
                raise UploadRefused(f"{answer.status} {answer.body[:300].decode(errors='replace')}")
            tally.refused[answer.status] += 1
            await self._pause(float(answer.headers.get("Retry-After", _PAUSE_SECONDS)))

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (1 + _JITTER * self._dice.random()))


async def closed_loop(
    sender: Sender, waiting: deque[Upload], *, in_flight: int, seconds: float
) -> tuple[Tally, float, float]:
    """As fast as it goes with `in_flight` batches under way; takes from the left of `waiting`. (tally, begun, ended)"""
    tally = Tally()
    begun = time.perf_counter()
    ends = begun + seconds

    async def keep_sending() -> None:
        while waiting and time.perf_counter() < ends:
            await sender.send(waiting.popleft(), tally)

    await _all(keep_sending() for _ in range(in_flight))
    # The last batches may come in later, or all be gone earlier.
    return tally, begun, min(ends, max(sample.acknowledged for sample in tally.samples))


async def open_loop(
    sender: Sender, waiting: Iterable[Upload], *, scans_per_s: float, seconds: float, seed: int
) -> tuple[Tally, float, float]:
    """Batches come when they are due, whatever became of those before. (tally, begun, ended)

    Each gate has its own interval and phase, as gates in a street have; together they bring `scans_per_s`. A gate that
    still waits for its last answer sends the next batch afterwards, counted from when it was due.
    """
    tally = Tally()
    begun = time.perf_counter() + 0.1
    due = [(begun + offset, upload) for offset, upload in schedule(waiting, scans_per_s, seconds, seed)]

    async def at_its_time(at: float, upload: Upload) -> None:
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        await sender.send(upload, tally, due=at)

    await _all(at_its_time(at, upload) for at, upload in due)
    return tally, begun, begun + seconds


def schedule(waiting: Iterable[Upload], scans_per_s: float, seconds: float, seed: int) -> list[tuple[float, Upload]]:
    """When each batch is due, in seconds from the beginning; what is due later than `seconds` is left out."""
    dice = random.Random(seed)
    by_gate: dict[int, list[Upload]] = defaultdict(list)
    for upload in waiting:
        by_gate[upload.gate.gate_id].append(upload)
    due = []
    for uploads in by_gate.values():
        interval = len(by_gate) * uploads[0].count / scans_per_s
        phase = dice.random() * interval
        for number, upload in enumerate(uploads):
            at = phase + (number + _WOBBLE * dice.random()) * interval
            if at < seconds:
                due.append((at, upload))
    return sorted(due, key=lambda pair: pair[0])


async def _all(work: Iterable["asyncio._CoroutineLike[None]"]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
