"""kill -9 at each step of a repair: whoever works next ends with the same stays and the same money."""

import asyncio
import os
import signal
import sys

import pytest

from tests.day_world import OWNER
from tests.repair_town import RepairTown


async def run(town: RepairTown, dsn: str, failpoint: str) -> int:
    environment = {**os.environ, "PARKFLOW_FAILPOINT": failpoint}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.adjust_process", dsn, OWNER, town.world.now.isoformat(), env=environment
    )
    return await process.wait()


@pytest.mark.parametrize(
    "failpoint", ["apply.changed", "adjust.waived", "adjust.raised", "adjust.refunded", "adjust.committed"]
)
async def test_a_worker_killed_at_any_step_of_a_repair_moves_money_once(
    town: RepairTown, dsn: str, failpoint: str
) -> None:
    paid, unpaid = await town.driver("paid"), await town.driver("unpaid")
    for car in (paid, unpaid):
        await town.seen(car, "entry", 0)
        await town.seen(car, "exit", 60)
        await town.apply()
        await town.charge()
        if car is paid:
            await town.pay()
    for car in (paid, unpaid):
        await town.seen(car, "exit", 20)
    assert await run(town, dsn, f"{failpoint}:kill9") == -signal.SIGKILL
    await town.work()
    assert [await town.stays(car) for car in (paid, unpaid)] == [[("priced", 0, 20, 1_200)]] * 2
    assert await town.moves(paid) == [(3_600, 1_200, 0, 0, 2_400)]
    assert await town.moves(unpaid) == [(3_600, 1_200, 3_600, 1_200, 0)]
    assert [await town.spent(car) for car in (paid, unpaid)] == [1_200, 1_200]
