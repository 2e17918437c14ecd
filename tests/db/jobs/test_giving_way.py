"""Giving way: stays and charges wait while live scans do, no day ends over it, and never for longer than they may."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from parkflow.db.conn import Pool
from parkflow.gate import pressure
from parkflow.gate.pressure import HOLDS, Pressure
from parkflow.jobs.rounds import Rounds, Step, StepKind, StepWork, Turn
from parkflow.jobs.way import Way
from tests.edge import services_over
from tests.held_clock import HeldClock

SECONDS_MAX = 300
ALL = ["apply", "deduct", "close_days", "send_notices"]
WITHOUT_APPLY = ["deduct", "send_notices"]


class SteppedClock(HeldClock):
    """Its monotonic clock stands as well until it is told how much time passes."""

    ns = 0

    def monotonic_ns(self) -> int:
        return self.ns

    def pass_by(self, seconds: float) -> None:
        self.ns += int(seconds * 1_000_000_000)


class Street:
    """Rounds with a step that may wait, `scans` it has to apply, and what the intake says of them."""

    def __init__(self, pool: Pool, clock: SteppedClock) -> None:
        self.clock = clock
        self.pressed = False
        self.scans = 0
        self._log: list[str] = []
        self._rounds = Rounds(
            pool=pool,
            clock=clock,
            owner="test:1",
            steps=[
                Step("apply", StepKind.DAY_WORK, self._step("apply"), may_wait=True),
                Step("deduct", StepKind.DAY_WORK, self._step("deduct")),
                Step("close_days", StepKind.DAY_END, self._step("close_days")),
                Step("send_notices", StepKind.SIDE_WORK, self._step("send_notices")),
            ],
            held=lambda: [0],
            buckets_per_call=1024,
            way=Way(clock, self._is_pressed, SECONDS_MAX),
        )

    async def passed(self, seconds: float = 1) -> list[str]:
        """Which steps one pass runs, after so much time."""
        self.clock.pass_by(seconds)
        self._log.clear()
        await self._rounds.run_pass(self.clock.now())
        return list(self._log)

    async def _is_pressed(self) -> bool:
        return self.pressed

    def _step(self, name: str) -> StepWork:
        async def work(turn: Turn) -> int:
            self._log.append(name)
            if name != "apply" or not self.scans:
                return 0
            self.scans -= 1
            return 1

        return work


@pytest.fixture
def street(pool: Pool, clock: HeldClock) -> Street:
    return Street(pool, SteppedClock(clock.now()))


async def test_stays_wait_while_live_scans_do_and_no_day_ends_meanwhile(street: Street) -> None:
    assert await street.passed() == ALL
    street.pressed = True
    assert [await street.passed() for _ in range(2)] == [WITHOUT_APPLY] * 2
    street.pressed = False
    assert await street.passed() == ALL


async def test_stays_wait_no_longer_than_they_may(street: Street) -> None:
    street.pressed = True
    assert await street.passed() == WITHOUT_APPLY
    assert await street.passed(SECONDS_MAX - 1) == WITHOUT_APPLY
    street.scans = 2
    # Now all that is left is done before anything waits again.
    assert await street.passed(1) == ["apply", "deduct", "send_notices"]
    assert await street.passed() == ["apply", "deduct", "send_notices"]
    assert await street.passed() == ALL
    assert await street.passed() == WITHOUT_APPLY


async def test_pressure_that_comes_and_goes_puts_nothing_off_for_longer(street: Street) -> None:
    street.scans = 1_000
    for _ in range(3):
        street.pressed = True
        assert "apply" not in await street.passed(SECONDS_MAX // 6)
        street.pressed = False
        assert "apply" in await street.passed(SECONDS_MAX // 6)
    street.pressed = True
    assert "apply" in await street.passed(SECONDS_MAX // 6)


async def test_a_worker_that_may_not_wait_asks_nobody(clock: HeldClock) -> None:
    async def asked() -> bool:
        raise AssertionError("nobody has to know")

    assert not await Way(clock, asked, 0).is_given()


async def test_a_look_for_pressure_that_fails_holds_nothing_up(
    clock: HeldClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> bool:
        raise RuntimeError("this look is broken")

    assert not await Way(clock, broken, SECONDS_MAX).is_given()
    assert "this look is broken" in caplog.text


async def test_a_word_of_pressure_holds_for_seconds_and_the_longest_counts(pool: Pool, clock: HeldClock) -> None:
    wall = clock.wall()
    async with pool.acquire() as conn:
        assert not await pressure.is_pressed(conn, wall=wall)
        await pressure.press(conn, until=wall + timedelta(seconds=2))
        await pressure.press(conn, until=wall + timedelta(seconds=1))
        assert await pressure.is_pressed(conn, wall=wall + timedelta(seconds=1.9))
        assert not await pressure.is_pressed(conn, wall=wall + timedelta(seconds=2))


async def test_only_a_long_line_is_told_and_not_again_within_the_second(pool: Pool, clock: HeldClock) -> None:
    stepped = SteppedClock(clock.now())
    told = Pressure(replace(services_over(pool, clock), clock=stepped), scans_min=100)

    async def pressed_until_after(live_scans: int) -> datetime | None:
        told.note(live_scans)
        await told.aclose()
        async with pool.acquire() as conn:
            until: datetime | None = await conn.fetchval(
                "select nullif(pressed_until, '-infinity') from ingest_pressure"
            )
            return until

    stepped.pass_by(10)
    before = stepped.wall()
    assert await pressed_until_after(99) is None
    first = await pressed_until_after(100)
    assert first is not None
    assert first >= before + HOLDS
    stepped.pass_by(0.9)
    assert await pressed_until_after(100) == first
    stepped.pass_by(0.1)
    assert await pressed_until_after(100) != first
