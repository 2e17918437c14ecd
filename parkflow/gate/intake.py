"""The way in for uploads: they wait in two bounded lines, and many of them are judged and kept together.

A few flushes run at once: while the database writes one, the next one's codes are verified.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg

from parkflow import core
from parkflow.gate import stages
from parkflow.gate.fair_queue import Full, Line, TooMany, TwoLines
from parkflow.gate.flush import Received
from parkflow.gate.ingest import Answer, keep
from parkflow.gate.posts import Posts
from parkflow.gate.pressure import Pressure
from parkflow.gate.store import Gate
from parkflow.kit.errors import DatabaseUnavailable, ParkflowError
from parkflow.services import Services

# An upload whose newest scan is older was not made just now: its gate was offline, and some minutes more do not matter.
BACKLOG_FROM_MS: Final = 5 * 60_000
# While one is verified, two are written, each of which waits for the disk now and then; more only share the cores.
FLUSHES_AT_ONCE: Final = 3
# A turn's share for old uploads while live ones fill the rest: an eighth.
_BACKLOG_SHARE: Final = 8
# With so much of a flush waiting when one begins, uploads come faster than they would if the database had nothing else.
_PRESSED_SHARE: Final = 2
_MILLISECOND_NS: Final = 1_000_000
_log = logging.getLogger("parkflow.gate")


class GateTooFast(ParkflowError):
    """This gate has as many batches waiting as it may; wait for their answers, then send on."""

    code = "gate_too_fast"
    status = 429
    retry_after_seconds = 2


class IngestBusy(ParkflowError):
    """More scans wait than can be taken in soon; the gate keeps them and sends them again later."""

    code = "ingest_busy"
    status = 503

    def __init__(self, *, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class IngestStopping(ParkflowError):
    """The service is about to end; the gate keeps its scans and sends them again in a moment."""

    code = "ingest_stopping"
    status = 503


@dataclass(eq=False, slots=True)
class _Waiting:
    received: Received
    arrived_ns: int
    answer: asyncio.Future[Answer] = field(repr=False)


class Intake:
    """The uploads of one process on their way into the database."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._services = services
        self._posts = Posts(services.vault)
        self._flush_scans = settings.ingest_flush_scans_max
        self._flush_wait_ns = settings.ingest_flush_wait_milliseconds * _MILLISECOND_NS
        self._lines: TwoLines[_Waiting] = TwoLines(
            live=self._line(settings.ingest_queue_scans_max),
            backlog=self._line(settings.ingest_queue_scans_max),
            backlog_scans=self._flush_scans // _BACKLOG_SHARE,
        )
        self._pressure = Pressure(services, scans_min=self._flush_scans // _PRESSED_SHARE)
        self._flushing: set[asyncio.Task[None]] = set()
        self._more = asyncio.Event()
        self._stopping = False

    def _line(self, scans_max: int) -> Line[_Waiting]:
        return Line(scans_max=scans_max, per_gate_max=self._services.settings.ingest_batches_per_gate_max)

    @property
    def waiting_scans(self) -> int:
        """How many scans wait for a flush; those that are being kept do not count."""
        return self._lines.scans

    async def take(self, gate: Gate, upload: core.Upload, *, received_at: datetime) -> Answer:
        """The answer to an authenticated gate's upload, given when everything in it is committed.

        Raises GateTooFast, IngestBusy, IngestStopping, DatabaseUnavailable; then nothing may be taken as kept.
        """
        if self._stopping:
            raise IngestStopping
        received = Received(gate, upload, received_at)
        waiting = _Waiting(received, self._services.clock.monotonic_ns(), asyncio.get_running_loop().create_future())
        is_live = received.age_ms < BACKLOG_FROM_MS
        line = self._lines.live if is_live else self._lines.backlog
        try:
            line.put(waiting, operator_id=gate.operator_id, gate_id=gate.gate_id, scans=upload.count)
        except TooMany:
            raise GateTooFast from None
        except Full:
            # Who is days behind can wait; what is live may be a driver who asks about it.
            raise IngestBusy(retry_after_seconds=2 if is_live else 10) from None
        if self._lines.scans >= self._flush_scans:
            self._more.set()
        if len(self._flushing) < FLUSHES_AT_ONCE:
            task = asyncio.create_task(self._flush_on())
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)
        return await waiting.answer

    async def aclose(self) -> None:
        """Take nothing more, and end when all that waits has its answer."""
        self._stopping = True
        self._more.set()
        await asyncio.gather(*self._flushing, return_exceptions=True)
        await self._pressure.aclose()

    async def _flush_on(self) -> None:
        while self._lines.scans:
            await self._gather()
            # What is days old may as well wait for the stays of today.
            self._pressure.note(self._lines.live.scans)
            turn = self._lines.take(self._flush_scans)
            if turn:
                await self._flush(turn)

    async def _gather(self) -> None:
        """Wait a little for others, unless enough is there: one transaction for many small batches."""
        if self._lines.scans >= self._flush_scans or self._stopping:
            return
        self._more.clear()
        try:
            async with asyncio.timeout(self._flush_wait_ns / 1_000_000_000):
                await self._more.wait()
        except TimeoutError:
            pass

    async def _flush(self, turn: Sequence[_Waiting]) -> None:
        now_ns = self._services.clock.monotonic_ns()
        for one in turn:
            stages.note(stages.WAIT, now_ns - one.arrived_ns)
        try:
            answers = await keep(self._services, self._posts, [one.received for one in turn])
        except (ParkflowError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            self._refuse(turn, error)
        except Exception as error:
            await self._flush_singly(turn, error)
        else:
            for one, answer in zip(turn, answers, strict=True):
                _settle(one, answer)

    async def _flush_singly(self, turn: Sequence[_Waiting], error: Exception) -> None:
        """One upload that meets a defect of ours must not cost the others their answer."""
        if len(turn) == 1:
            self._refuse(turn, error)
            return
        _log.error("a flush of %d uploads met a defect; each is tried by itself", len(turn), exc_info=error)
        for one in turn:
            await self._flush([one])

    def _refuse(self, turn: Sequence[_Waiting], error: Exception) -> None:
        lost = isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | OSError | TimeoutError)
        told = DatabaseUnavailable("the database does not answer; the gate keeps its scans") if lost else error
        if lost:
            _log.warning("%d uploads were not kept: %s", len(turn), error)
        for one in turn:
            if not one.answer.done():
                one.answer.set_exception(told)


def _settle(one: _Waiting, answer: Answer) -> None:
    # A gate that has hung up does not wait any more.
    if not one.answer.done():
        one.answer.set_result(answer)
