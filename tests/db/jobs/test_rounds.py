"""Rounds of due work: order, the end of the day, failures that stop nobody else, and progress that never lies."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from parkflow.db.conn import Pool
from parkflow.jobs import progress
from parkflow.jobs.lease import Leases
from parkflow.jobs.rounds import Rounds, Step, StepKind, StepWork, Turn
from tests.held_clock import HeldClock

OWNER = "test:1"


def rounds_of(pool: Pool, clock: HeldClock, *steps: Step) -> Rounds:
    return Rounds(pool=pool, clock=clock, owner=OWNER, steps=steps, held=lambda: list(range(8)), buckets_per_call=1024)


def work_of(log: list[str], name: str, *amounts: int) -> StepWork:
    """Work that is written down and does the amounts, one a call, then nothing."""
    left = list(amounts)

    async def work(turn: Turn) -> int:
        log.append(name)
        return left.pop(0) if left else 0

    return work


async def failing(turn: Turn) -> int:
    raise RuntimeError("this step is broken")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 (what is waited for happens in the database)
            await asyncio.sleep(0.01)


async def progress_of(pool: Pool) -> datetime | None:
    async with pool.acquire() as conn:
        found: datetime | None = await conn.fetchval("select caught_up_to from worker_progress where owner = $1", OWNER)
        return found


async def reached(pool: Pool, instant: datetime) -> bool:
    return await progress_of(pool) == instant


async def longer_than(log: list[str], length: int) -> bool:
    return len(log) > length


async def test_a_day_ends_only_when_its_work_has_found_nothing(pool: Pool, clock: HeldClock) -> None:
    log: list[str] = []
    rounds = rounds_of(
        pool,
        clock,
        Step("apply", StepKind.DAY_WORK, work_of(log, "apply", 2, 1)),
        Step("cutoff", StepKind.DAY_END, work_of(log, "cutoff", 1)),
    )
    rests = [await rounds.run_pass(clock.now()) for _ in range(4)]
    assert log == ["apply", "apply", "apply", "cutoff", "apply", "cutoff"]
    assert rests == [False, False, False, True]


async def test_a_failing_step_stops_no_other_but_a_day_does_not_end_over_it(
    pool: Pool, clock: HeldClock, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    rounds = rounds_of(
        pool,
        clock,
        Step("apply", StepKind.DAY_WORK, failing),
        Step("deduct", StepKind.DAY_WORK, work_of(log, "deduct", 1)),
        Step("cutoff", StepKind.DAY_END, work_of(log, "cutoff")),
        Step("notices", StepKind.SIDE_WORK, work_of(log, "notices")),
    )
    assert not await rounds.run_pass(clock.now())
    assert not await rounds.run_pass(clock.now())
    assert log == ["deduct", "notices", "deduct", "notices"]
    # The second pass left the broken step alone: its pause had not passed.
    assert [record.message for record in caplog.records if "apply" in record.message][1:] == []


async def test_side_work_that_fails_does_not_keep_a_day_open(pool: Pool, clock: HeldClock) -> None:
    log: list[str] = []
    rounds = rounds_of(
        pool,
        clock,
        Step("notices", StepKind.SIDE_WORK, failing),
        Step("cutoff", StepKind.DAY_END, work_of(log, "cutoff", 1)),
    )
    await rounds.run_pass(clock.now())
    assert log == ["cutoff"]


async def test_progress_is_written_only_when_nothing_is_left_at_that_instant(pool: Pool, clock: HeldClock) -> None:
    start, log = clock.now(), list[str]()
    gate = asyncio.Event()

    async def slow(turn: Turn) -> int:
        log.append("slow")
        if turn.now > start:
            await gate.wait()
        return 0

    rounds = rounds_of(pool, clock, Step("slow", StepKind.DAY_WORK, slow))
    running = asyncio.create_task(rounds.run())
    await until(lambda: reached(pool, start))
    later = clock.advance(minutes=1)
    seen = len(log)
    await until(lambda: longer_than(log, seen))
    assert await progress_of(pool) == start, "the step has not ended at the new instant"
    gate.set()
    await until(lambda: reached(pool, later))
    rounds.stop.set()
    await running


async def test_nobody_has_reached_an_instant_before_all_live_workers_have(pool: Pool, clock: HeldClock) -> None:
    wall, now = clock.wall(), clock.now()
    async with pool.acquire() as conn:
        assert await progress.reached(conn, wall=wall) is None
        for owner, buckets in (("a", range(512)), ("b", range(512, 1024))):
            await Leases(owner, timedelta(minutes=1)).acquire(conn, wall, buckets)
        await progress.record(conn, owner="a", caught_up_to=now, wall=wall)
        assert await progress.reached(conn, wall=wall) is None
        assert not await progress.others_reached(conn, owner="a", instant=now, wall=wall)
        assert await progress.others_reached(conn, owner="b", instant=now, wall=wall)
        await progress.record(conn, owner="b", caught_up_to=now - timedelta(minutes=1), wall=wall)
        assert await progress.reached(conn, wall=wall) == now - timedelta(minutes=1)
        # A worker that died no longer counts once its leases have run out.
        assert await progress.others_reached(conn, owner="a", instant=now, wall=wall + timedelta(minutes=2))


class Lanes:
    """Work that notes which buckets each call had and how many calls ran at once."""

    def __init__(self, *amounts: int) -> None:
        self.buckets: list[list[int]] = []
        self.at_once = 0
        self._running = 0
        self._left = list(amounts)

    async def work(self, turn: Turn) -> int:
        self.buckets.append(list(turn.buckets))
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        await asyncio.sleep(0)
        self._running -= 1
        return self._left.pop(0) if self._left else 0


async def test_buckets_are_shared_out_to_lanes_only_while_there_is_much_to_do(pool: Pool, clock: HeldClock) -> None:
    lanes = Lanes(999, 1_000, 600, 399, 5)
    rounds = rounds_of(pool, clock, Step("apply", StepKind.DAY_WORK, lanes.work, lanes=3))
    rests = [await rounds.run_pass(clock.now()) for _ in range(4)]
    whole, shared = [list(range(8))], [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert lanes.buckets == [*whole, *whole, *shared, *shared]
    assert lanes.at_once == 3
    assert rests == [False, False, False, True]


async def test_a_failing_lane_fails_its_step_when_the_others_have_come_to_their_end(
    pool: Pool, clock: HeldClock, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[int] = []

    async def work(turn: Turn) -> int:
        if turn.buckets[0] == 0 and len(turn.buckets) < 8:
            raise RuntimeError("this lane is broken")
        await asyncio.sleep(0)
        ended.append(turn.buckets[0])
        return 1_000

    rounds = rounds_of(pool, clock, Step("apply", StepKind.DAY_WORK, work, lanes=2))
    assert [await rounds.run_pass(clock.now()) for _ in range(3)] == [False] * 3
    assert ended == [0, 4]
    assert caplog.text.count("step apply failed") == 1
