"""The pace of the demo: move the virtual clock, then wait until the worker has done all that was due by then.

Nothing sleeps for the sake of time: a night passes as fast as the worker can work through what falls due in it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from gate_sim.clock import VirtualClock
from parkflow.db.conn import Pool
from parkflow.db.sql import load
from parkflow.demo.stack import DemoFailed, Stack

_SQL = load(__file__)
_POLL_SECONDS: Final = 0.005
# A worker that was killed holds its leases for seconds of real time; far more than that is a fault.
_WAIT_SECONDS_MAX: Final = 90
# Between appointments that lie closer than this, nothing that falls due in between is given a stop of its own.
_STOPS_WORTH: Final = timedelta(minutes=5)
# What falls due within this time of each other is done at one stop.
_STOP_GRAIN: Final = timedelta(seconds=30)

Action = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Pace:
    """The clock's hand together with the worker's progress."""

    clock: VirtualClock
    pool: Pool
    stack: Stack

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    async def go_on_to(self, instant: datetime) -> None:
        """Let time pass until `instant`, and do not wait for what the worker does then: gates upload meanwhile.

        What was due before is done first; a clock that moved in the middle of it would let chance in.
        """
        await self._caught_up()
        self.clock.move_to(instant)

    async def go_to(self, instant: datetime) -> None:
        """Let time pass until `instant`, with a stop wherever something falls due on the way."""
        await self._caught_up()
        while instant - self.now > _STOPS_WORTH:
            due = await self._next_due()
            if due is None or due >= instant:
                break
            await self._stop_at(max(due, self.now + _STOP_GRAIN))
        await self._stop_at(instant)

    async def _stop_at(self, instant: datetime) -> None:
        self.clock.move_to(instant)
        await self._caught_up()

    async def _caught_up(self) -> None:
        """Wait until the worker has done all that is due now. Raises DemoFailed when it cannot."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _WAIT_SECONDS_MAX
        while not await self._value(_SQL.worker_caught_up, self.now):
            self.stack.check()
            if loop.time() > deadline:
                raise DemoFailed(f"the worker did not catch up with {self.now.isoformat()}; see logs/worker.log")
            await asyncio.sleep(_POLL_SECONDS)

    async def _next_due(self) -> datetime | None:
        due: datetime | None = await self._value(_SQL.next_due, self.now)
        return due

    async def _value(self, query: str, instant: datetime) -> Any:
        async with self.pool.acquire() as conn:
            return await conn.fetchval(query, instant)


@dataclass(slots=True)
class Agenda:
    """What happens when: appointments are kept in order of time, and of entry at the same time."""

    _appointments: list[tuple[datetime, int, Action, bool]] = field(default_factory=list)

    def add(self, at: datetime, action: Action) -> None:
        """Do `action` at `at`, when all that was due by then has been done."""
        self._appointments.append((at, len(self._appointments), action, True))

    def add_traffic(self, at: datetime, action: Action) -> None:
        """Do `action` at `at`, while the worker does what is due then."""
        self._appointments.append((at, len(self._appointments), action, False))

    async def keep(self, pace: Pace, *, done: Callable[[int, int], None]) -> None:
        """Keep every appointment; `done` is told how many of how many are behind."""
        appointments = sorted(self._appointments, key=lambda appointment: appointment[:2])
        for number, (at, _, action, waits) in enumerate(appointments, start=1):
            await (pace.go_to(at) if waits else pace.go_on_to(at))
            await action()
            done(number, len(appointments))
