"""The look for due work: a step that it leaves out would have found nothing, at any moment of several days."""

from datetime import timedelta

from gate_sim.channel.plan import Plan
from parkflow.card_return import service as returns
from parkflow.db.tx import in_tx
from parkflow.jobs.rounds import Turn
from parkflow.views import due
from parkflow.worker import STEPS
from tests.day_world import World

WORK = {name: work for name, _, work, _ in STEPS}


async def pass_of(world: World) -> set[str]:
    """One pass over all steps; the look is asked before each. Returns the steps that did something."""
    busy = set()
    for name, work in WORK.items():
        turn = Turn(world.leases.owner, world.leases.buckets, world.now)
        async with world.pool.acquire() as conn:
            seen = await due.due_steps(conn, owner=turn.owner, buckets=turn.buckets, now=turn.now)
        done = await work(world.services, turn)
        if done:
            busy.add(name)
            assert name in seen or name not in due.STEPS, f"{name} did {done}, and the look had left it out"
    return busy


async def test_a_step_that_is_left_out_would_have_found_nothing(world: World) -> None:
    rich = await world.driver("rich", 5_000, Plan.TIMEOUT_AFTER)
    poor, leaver = await world.driver("poor", 0), await world.driver("leaver", 0)
    for driver in (rich, poor):
        await world.park(driver.card_id, 900)
    async with world.pool.acquire() as conn:
        await conn.execute("update stay set charged_at = null")
    await in_tx(
        world.pool,
        lambda conn: returns.request(
            conn, account_id=leaver.account_id, card_id=leaver.card_id, now=world.now, wait=timedelta(hours=72)
        ),
    )
    busy = set()
    for hours in (0, 1, 1, 24, 24, 24, 72):
        world.advance(hours=hours)
        if await world.card_state(poor.card_id) == "frozen":
            await world.top_up(poor, 900)
        await world.hold_leases()
        await world.gate_told(world.now)
        while found := await pass_of(world):
            busy |= found
    assert busy >= {
        "charge",
        "deduct",
        "query",
        "clear_arrears",
        "advance_returns",
        "refund",
        "close_days",
        "send_notices",
    }


def test_the_look_knows_only_steps_that_exist() -> None:
    assert WORK.keys() >= due.STEPS
