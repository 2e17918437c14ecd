"""Whatever happens to a gate and its line, the service has each event once, under one name, with its own words."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gate_sim.http import Client
from gate_sim.journal import Journal
from gate_sim.link import Link
from gate_sim.signature import Signer
from gate_sim.uplink import Habits, Uplink
from gate_sim.wire import id_number
from parkflow import core
from tests.unit.gate_sim.service import Service
from tests.unit.gate_sim.signed import LANE, LOT, NOW_S, ROOT_SECRET, not_to_disk
from tests.unit.gate_sim.stand_in import standing_in

FEW = st.integers(1, 3)


class GateLife(RuleBasedStateMachine):
    """One gate over many starts. Passages are numbered in `at_ms`, so that each can be found again."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.service = Service()
        self.runner = asyncio.Runner()
        self.passages = 0
        # Passages that were put back to before they happened: they exist only if the service heard of them.
        self.gone: set[int] = set()
        self.clock_s = NOW_S
        self.copy: tuple[bytes, int] | None = None
        self._open()

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        self._upload()
        self._all_is_there()
        self.journal.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    @rule(count=FEW)
    def cars_pass(self, count: int) -> None:
        for _ in range(count):
            self.passages += 1
            self.journal.append({"at_ms": self.passages, "medium": "plate", "plate": "浙A12345"})

    @rule(lost=FEW, dropped=st.integers(0, 2))
    def the_line_is_bad(self, lost: int, dropped: int) -> None:
        self.service.answers_lost, self.service.dropped = lost, dropped

    @rule()
    def upload(self) -> None:
        self._upload()

    @rule()
    def heartbeat(self) -> None:
        self._call(self.uplink.heartbeat)

    @rule(clock_s=st.integers(-10, 10))
    def the_power_goes(self, clock_s: int) -> None:
        # Not closed: what SQLite has not written is not there.
        self.clock_s += clock_s
        self.dead = (*getattr(self, "dead", ()), self.journal)
        self._open()

    @rule()
    def a_copy_is_made(self) -> None:
        self.journal._db.execute("pragma wal_checkpoint(truncate)")
        self.copy = (self._path.read_bytes(), self.passages)

    @precondition(lambda self: getattr(self, "copy", None) is not None)
    @rule()
    def the_copy_is_put_back(self) -> None:
        assert self.copy is not None
        content, passages = self.copy
        self.journal.close()
        for file in self.folder.iterdir():
            file.unlink()
        self._path.write_bytes(content)
        self.gone |= set(range(passages + 1, self.passages + 1))
        self._open()

    @invariant()
    def no_name_stands_for_two_events(self) -> None:
        if not hasattr(self, "service"):
            return
        assert self.service.quarantined_for == []

    @property
    def _path(self) -> Path:
        return self.folder / "gate.journal"

    def _open(self) -> None:
        self.journal = Journal(self._path, now_s=self.clock_s)
        not_to_disk(self.journal)
        gate_core = core.Gate(core.public_key(ROOT_SECRET), id_number(LOT), id_number(LANE))
        signer = Signer("gate_0000000000001", b"g" * 32)
        habits = Habits(tries=4, pause_seconds=0)
        self.uplink = Uplink(signer, self.journal, gate_core, Link(), habits)

    def _upload(self) -> None:
        self._call(self.uplink.upload)

    def _call(self, what) -> None:  # type: ignore[no-untyped-def]
        async def once() -> None:
            async with standing_in(self.service) as url, Client(url) as client:
                await what(client, at_ms=self.clock_s * 1000)

        self.runner.run(once())

    def _all_is_there(self) -> None:
        self.service.answers_lost = self.service.dropped = 0
        self._upload()
        assert self.journal.waiting == 0
        kept = [int(text.split('"at_ms":')[1].split(",")[0]) for text in self.service.contents.values()]
        assert len(kept) == len(set(kept))
        assert set(range(1, self.passages + 1)) - set(kept) <= self.gone


TestGateLife = GateLife.TestCase
TestGateLife.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
