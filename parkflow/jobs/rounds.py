"""Rounds of due work: every step, in order, again and again over the buckets that a process holds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from parkflow.db.conn import Pool
from parkflow.jobs import progress
from parkflow.jobs.way import Way
from parkflow.kit.clock import Clock, FileClock

# A virtual clock is moved by a simulation that waits for us; real time needs no haste.
_POLL_SECONDS_VIRTUAL: Final = 0.003
_POLL_SECONDS_REAL: Final = 0.5
# While the clock stands, work may still come in over HTTP.
_IDLE_SECONDS_MAX: Final = 0.5
_BACKOFF_SECONDS_FIRST: Final = 1
_BACKOFF_SECONDS_MAX: Final = 60
# A step that did so much in its last call has much to do; for less, a second round of questions is not worth it.
_MUCH: Final = 1_000
_SECOND_NS: Final = 1_000_000_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one step of one pass works on: whose hand it is, which buckets, and the one `now` of the pass."""

    owner: str
    buckets: Sequence[int]
    now: datetime


StepWork = Callable[[Turn], Awaitable[int]]
Idle = Callable[[Turn], Awaitable[frozenset[str]]]
"""Names of steps that would find nothing in a turn; cheaper to ask than to run them all."""


async def nothing_known(turn: Turn) -> frozenset[str]:
    """No step is known to be idle: all are run."""
    return frozenset()


class StepKind(Enum):
    """How a step stands to the end of a business day."""

    DAY_WORK = "day_work"  # a day does not end while one of these has work or fails
    DAY_END = "day_end"  # runs once per pass, over all buckets, when the day's work is done
    SIDE_WORK = "side_work"  # neither waits for the day nor delays it


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of due work. `work` does some of it and returns how much it did; 0 says that nothing is due.

    every: having found nothing, it rests for so long in business time (work that is dear to look for and may wait).
    lanes: while there is much to do, the buckets of a call are shared out to so many calls at once, so that the
    database works for one while we work for the other. Only for steps that keep to their buckets.
    may_wait: it stands back while something that cannot wait needs the database.
    """

    name: str
    kind: StepKind
    work: StepWork
    every: timedelta = timedelta()
    lanes: int = 1
    may_wait: bool = False


@dataclass(slots=True)
class _Tally:
    done: int = 0
    failed: int = 0
    waiting: int = 0

    @property
    def rested(self) -> bool:
        return not self.done and not self.failed and not self.waiting


@dataclass(slots=True)
class _Failure:
    count: int = 0
    not_before_ns: int = 0


@dataclass(slots=True)
class Rounds:
    """Runs the steps over the buckets that this process holds; `stop` ends it after the step at hand.

    held: the buckets held now. buckets_per_call: how many a step is given at once. idle: which steps to leave out. way:
    when steps that may wait do so; None: never.
    """

    pool: Pool
    clock: Clock
    owner: str
    steps: Sequence[Step]
    held: Callable[[], Sequence[int]]
    buckets_per_call: int
    idle: Idle = nothing_known
    way: Way | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _failures: dict[str, _Failure] = field(default_factory=dict)
    _rests_until: dict[str, datetime] = field(default_factory=dict)
    _did_last: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until told to stop."""
        while not self.stop.is_set():
            now = self.clock.now()
            if await self.run_pass(now) and self.held():
                await self._record(now)
                await self._rest(now)
            elif not self.held():
                await self._pause(_POLL_SECONDS_REAL)

    async def run_pass(self, now: datetime) -> bool:
        """One pass over all steps; whether nothing was left to do and nothing failed."""
        day_work = await self._run_all(StepKind.DAY_WORK, now)
        day_end = await self._run_all(StepKind.DAY_END, now) if day_work.rested else _Tally()
        side_work = await self._run_all(StepKind.SIDE_WORK, now)
        tallies = (day_work, day_end, side_work)
        if any(tally.failed or tally.waiting for tally in tallies) and not any(tally.done for tally in tallies):
            # Nothing is left but steps that fail, whose back-off is counted in seconds, and such as wait for others.
            await self._pause(_POLL_SECONDS_REAL)
        if not all(tally.rested for tally in tallies) or self.stop.is_set():
            return False
        if self.way is not None:
            self.way.note_caught_up()
        return True

    async def _run_all(self, kind: StepKind, now: datetime) -> _Tally:
        tally = _Tally()
        turns = [Turn(self.owner, buckets, now) for buckets in self._portions(kind)]
        idle = [await self._idle_in(turn, kind) for turn in turns]
        for step in self.steps:
            if step.kind is not kind or self.stop.is_set() or now < self._rests_until.get(step.name, now):
                continue
            before = tally.done + tally.failed + tally.waiting
            for turn, idle_here in zip(turns, idle, strict=True):
                if step.name in idle_here:
                    continue
                if step.may_wait and self.way is not None and await self.way.is_given():
                    tally.waiting += 1
                    continue
                result = await self._run_step(step, turn)
                tally.done += result or 0
                tally.failed += result is None
            if step.every and tally.done + tally.failed + tally.waiting == before:
                self._rests_until[step.name] = now + step.every
        return tally

    async def _idle_in(self, turn: Turn, kind: StepKind) -> frozenset[str]:
        if kind is StepKind.DAY_END:
            return frozenset()
        try:
            return await self.idle(turn)
        except Exception:
            # The steps find out themselves what is wrong, and back off.
            _LOG.exception("the look for due work failed; every step is run")
            return frozenset()

    def _portions(self, kind: StepKind) -> list[Sequence[int]]:
        held = self.held()
        size = max(len(held), 1) if kind is StepKind.DAY_END else self.buckets_per_call
        return [held[start : start + size] for start in range(0, len(held), size)]

    async def _run_step(self, step: Step, turn: Turn) -> int | None:
        """How much the step did; None when it failed, or failed lately and rests. A failing step stops no other."""
        failure = self._failures.get(step.name)
        if failure is not None and self.clock.monotonic_ns() < failure.not_before_ns:
            return None
        try:
            done = await self._in_lanes(step, turn)
        except Exception:
            self._note_failure(step)
            return None
        self._failures.pop(step.name, None)
        self._did_last[step.name] = done
        return done

    async def _in_lanes(self, step: Step, turn: Turn) -> int:
        """How much was done. Every lane comes to its end before the failure of one is told."""
        lanes = step.lanes if self._did_last.get(step.name, 0) >= _MUCH else 1
        size = max(-(-len(turn.buckets) // lanes), 1)
        parts = [
            replace(turn, buckets=turn.buckets[start : start + size]) for start in range(0, len(turn.buckets), size)
        ]
        results = await asyncio.gather(*(step.work(part) for part in parts), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return sum(result for result in results if not isinstance(result, BaseException))

    def _note_failure(self, step: Step) -> None:
        failure = self._failures.setdefault(step.name, _Failure())
        pause = min(_BACKOFF_SECONDS_FIRST << failure.count, _BACKOFF_SECONDS_MAX)
        failure.count = min(failure.count + 1, 10)
        failure.not_before_ns = self.clock.monotonic_ns() + pause * _SECOND_NS
        _LOG.exception("step %s failed; it is tried again in %d s, the others go on", step.name, pause)

    async def _record(self, now: datetime) -> None:
        async with self.pool.acquire() as conn:
            await progress.record(conn, owner=self.owner, caught_up_to=now, wall=self.clock.wall())

    async def _rest(self, now: datetime) -> None:
        """Until the clock has moved on, but not for long."""
        poll = _POLL_SECONDS_VIRTUAL if isinstance(self.clock, FileClock) else _POLL_SECONDS_REAL
        until = self.clock.monotonic_ns() + int(_IDLE_SECONDS_MAX * _SECOND_NS)
        await self._pause(poll)
        while not self.stop.is_set() and self.clock.now() == now:
            if self.clock.monotonic_ns() >= until:
                return
            await self._pause(poll)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            pass
