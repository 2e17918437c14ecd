"""kill -9 at each step of a deduct: whoever has the buckets next ends with the same money."""

import asyncio
import os
import signal
import sys

import pytest

from gate_sim.channel.plan import Plan
from tests.till import WORKER, Till

PLANS = (
    Plan.OK,
    Plan.INSUFFICIENT,
    Plan.TIMEOUT_BEFORE,
    Plan.TIMEOUT_AFTER,
    Plan.ERROR_AFTER,
    Plan.PENDING,
)


async def _worker(till: Till, dsn: str, owner: str, failpoint: str) -> int:
    environment = {**os.environ, "PARKFLOW_FAILPOINT": failpoint}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.deduct_process", dsn, till.address, owner, till.now.isoformat(), env=environment
    )
    return await process.wait()


@pytest.mark.parametrize("failpoint", ["deduct.claimed", "deduct.sent", "deduct.answered", "deduct.recorded"])
async def test_a_worker_killed_at_any_step_leaves_every_charge_taken_once(till: Till, dsn: str, failpoint: str) -> None:
    ids = {plan: await till.charge(await till.driver(plan.value, 600, plan, Plan.OK)) for plan in PLANS}
    assert await _worker(till, dsn, WORKER, f"{failpoint}:kill9") == -signal.SIGKILL
    await till.lease_to("worker-2")
    assert await _worker(till, dsn, "worker-2", "") == 0
    await till.lease_to(WORKER)
    await till.work_on(days=2)
    assert {plan: await till.state(charge_id) for plan, charge_id in ids.items()} == dict.fromkeys(PLANS, "paid")
    attempts = {plan: await till.attempts(charge_id) for plan, charge_id in ids.items()}
    assert attempts == {plan: ["succeeded"] for plan in PLANS} | {Plan.INSUFFICIENT: ["declined", "succeeded"]}
    assert {till.funds(plan.value) for plan in PLANS} == {100}
