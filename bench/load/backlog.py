"""Gates that come back after days offline upload all they have, while other gates upload what they see now."""

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.load.cards import Cards, cards_path
from bench.load.journals import Chain, Upload, body_of
from bench.load.sender import Sender, Tally, percentile
from bench.load.town import Town, TownGate

# A live gate uploads this often, what it saw since.
LIVE_EVERY_S: Final = 5.0
LIVE_SCANS: Final = 5


@dataclass(slots=True)
class Drain:
    """How the backlog went and what became of the live scans meanwhile."""

    backlog: Tally = field(default_factory=Tally)
    live: Tally = field(default_factory=Tally)
    # Of each live scan, the seconds from the passage to the acknowledgement, which comes after the commit.
    lags: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.backlog.scans / self.seconds

    def lag_percentile_s(self, share: float) -> float:
        return percentile(self.lags, share)


class LiveGate:
    """A gate whose codes are made at the moment of the scan."""

    def __init__(self, gate: TownGate, cards: Cards, *, epoch: int, seed: int) -> None:
        self._gate = gate
        self._cards = cards
        self._epoch = epoch
        self._chain = Chain(gate.direction)
        self._dice = random.Random(f"{seed}/{gate.gate_id}")
        # The exit sees the cards that the entry saw two uploads before.
        self._next_card = gate.lot * 997 - (2 * LIVE_SCANS if gate.direction == "exit" else 0)

    async def run(self, sender: Sender, drain: Drain, stop: asyncio.Event) -> None:
        """Upload every few seconds until `stop`."""
        await _until(stop, LIVE_EVERY_S * self._dice.random())
        while not stop.is_set():
            await self._upload(sender, drain)
            await _until(stop, LIVE_EVERY_S * (0.9 + 0.2 * self._dice.random()))

    async def _upload(self, sender: Sender, drain: Drain) -> None:
        now_ms = time.time_ns() // 1_000_000
        at_ms = sorted(now_ms - self._dice.randrange(int(LIVE_EVERY_S * 1_000)) for _ in range(LIVE_SCANS))
        first_seq, prev_hash = self._chain.seq + 1, self._chain.hash.hex()
        scans = b",".join(
            self._chain.append(self._cards[self._next_card + place], at) for place, at in enumerate(at_ms)
        )
        self._next_card += LIVE_SCANS

        def body(sent_ms: int) -> bytes:
            return body_of(self._epoch, first_seq, prev_hash, scans, at_ms=sent_ms, last_sync_ms=now_ms)

        drain.live.results += await sender.post(self._gate, body, drain.live)
        acknowledged_ms = time.time_ns() // 1_000_000
        drain.lags += [(acknowledged_ms - at) / 1_000 for at in at_ms]


async def drain(
    sender: Sender, town: Town, folder: Path, journals: Sequence[Sequence[Upload]], *, epoch: int, seconds_max: float
) -> Drain:
    """Upload the journals, each gate one batch after the other; gates of other lots are live, under `epoch`.

    Stops when time is up: what was drained until then tells the rate.
    """
    drained, stop = Drain(), asyncio.Event()
    offline = {upload.gate.gate_id for uploads in journals for upload in uploads}
    cards = [Cards(cards_path(folder, operator)) for operator in range(town.size.operators)]
    live = [
        LiveGate(gate, cards[gate.operator], epoch=epoch, seed=sender.seed)
        for gate in town.gates
        if gate.gate_id not in offline
    ]
    begun = time.perf_counter()

    async def come_back(uploads: Iterable[Upload]) -> None:
        for upload in uploads:
            if time.perf_counter() - begun > seconds_max:
                return
            await sender.send(upload, drained.backlog)

    async with asyncio.TaskGroup() as group:
        for gate in live:
            group.create_task(gate.run(sender, drained, stop))
        await asyncio.gather(*(come_back(uploads) for uploads in journals))
        drained.seconds = time.perf_counter() - begun
        stop.set()
    return drained


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
