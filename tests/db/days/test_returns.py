"""Card returns on real rows: the wait, what blocks, the one refund, the agreement's end, and taking it back."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from gate_sim.channel.plan import Plan, refund_plan
from parkflow.agreement import service as agreements
from parkflow.arrears import service as arrears
from parkflow.card_return import service as returns
from parkflow.card_return.service import CardReturn, ReturnNotOpen
from parkflow.card_return.state import ReturnState
from parkflow.charge import deduct
from parkflow.db.tx import in_tx, tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of
from parkflow.kit.machine import IllegalTransition
from tests import seed
from tests.day_world import CHANNEL_SEED, OWNER, Driver, World
from tests.db.days.test_arrears import close_running_day, owing

WAIT = timedelta(hours=72)


async def request(world: World, driver: Driver) -> CardReturn:
    return await in_tx(
        world.pool,
        lambda conn: returns.request(
            conn, account_id=driver.account_id, card_id=driver.card_id, now=world.now, wait=WAIT
        ),
    )


async def withdraw(world: World, driver: Driver) -> CardReturn:
    return await in_tx(
        world.pool,
        lambda conn: returns.withdraw(conn, account_id=driver.account_id, card_id=driver.card_id, now=world.now),
    )


async def work(world: World) -> CardReturn:
    """What the worker does now, until nothing moves; the newest return."""
    moved = 1
    while moved:
        await world.settle()
        moved = await returns.advance(world.services, buckets=world.leases.buckets, now=world.now)
    async with world.pool.acquire() as conn:
        row = await conn.fetchrow("select account_id, card_id from card_return order by requested_at desc limit 1")
        assert row is not None
        return await returns.of_card(conn, account_id=row["account_id"], card_id=row["card_id"])


async def after_the_wait(world: World) -> CardReturn:
    world.advance(hours=73)
    await world.gate_told(world.now)
    return await work(world)


async def test_a_clear_return_gives_the_deposit_back_after_the_wait_and_ends_the_agreement(world: World) -> None:
    driver = await world.driver("w", 0)
    asked = await request(world, driver)
    assert (asked.state, asked.release_after) == (ReturnState.REQUESTED, world.now + WAIT)
    await world.gate_told(world.now + timedelta(minutes=1))
    assert (await work(world)).state is ReturnState.WAITING
    world.advance(hours=71, minutes=59)
    assert (await work(world)).state is ReturnState.WAITING
    assert await world.funds(driver) == 0
    world.advance(minutes=1)
    done = await work(world)
    assert (done.state, done.ended_at) == (ReturnState.COMPLETED, world.now)
    assert await world.funds(driver) == seed.DEPOSIT_MINOR
    assert await world.card_state(driver.card_id) == "returned"
    async with world.pool.acquire() as conn:
        (agreement,) = await agreements.of_account(conn, driver.account_id)
    assert agreement.state == "ended"
    assert await world.value("select count(*) from notice where kind = 'card_returned'") == 1


async def test_asking_twice_is_one_return(world: World) -> None:
    driver = await world.driver("w", 0)
    first = await request(world, driver)
    world.advance(hours=1)
    assert await request(world, driver) == first


async def test_two_calls_at_once_are_one_return(world: World) -> None:
    driver = await world.driver("w", 0)
    answers = await asyncio.gather(*(request(world, driver) for _ in range(6)))
    assert len({answer.return_id for answer in answers}) == 1


async def test_only_the_drivers_own_card_can_be_returned(world: World) -> None:
    mine, theirs = await world.driver("w1", 0), await world.driver("w2", 0)
    with pytest.raises(NotFound):
        await request(world, Driver(mine.account_id, theirs.card_id, ""))
    await request(world, theirs)
    for call in (returns.of_card, lambda conn, **ids: returns.withdraw(conn, now=world.now, **ids)):
        with pytest.raises(NotFound):
            async with tx(world.pool) as conn:
                await call(conn, account_id=mine.account_id, card_id=theirs.card_id)


async def test_a_gate_that_has_not_told_holds_the_deposit_until_it_has_or_is_excepted(world: World) -> None:
    driver = await world.driver("w", 0)
    await world.gate_told(world.now - timedelta(seconds=1))
    await request(world, driver)
    world.advance(hours=80)
    held = await work(world)
    assert (held.state, held.blocked_reason) == (ReturnState.BLOCKED, "gate_watermark")
    async with tx(world.pool) as conn:
        await returns.except_gate(
            conn,
            operator_id=world.operator_id,
            gate_id=world.gate_id,
            until_at=world.now,
            token_name="admin",
            now=world.now,
        )
    assert (await work(world)).state is ReturnState.COMPLETED


async def test_an_operator_excepts_only_its_own_gates(world: World) -> None:
    async with tx(world.pool) as conn:
        other = await seed.operator(conn, world.services.vault, name="Other")
    with pytest.raises(NotFound):
        async with tx(world.pool) as conn:
            await returns.except_gate(
                conn,
                operator_id=other,
                gate_id=world.gate_id,
                until_at=world.now,
                token_name="admin",
                now=world.now,
            )


async def test_a_charge_from_a_late_scan_blocks_until_it_is_paid(world: World) -> None:
    driver = await world.driver("w", 0)
    await request(world, driver)
    world.advance(hours=70)
    await world.park(driver.card_id, 900)
    held = await after_the_wait(world)
    assert (held.state, held.blocked_reason) == (ReturnState.BLOCKED, "charge_due")
    await close_running_day(world)
    held = await work(world)
    assert (held.state, held.blocked_reason) == (ReturnState.BLOCKED, "arrears")
    await world.top_up(driver, 900)
    await arrears.repay(world.services, account_id=driver.account_id, card_id=None, now=world.now)
    assert (await work(world)).state is ReturnState.COMPLETED
    assert await world.funds(driver) == seed.DEPOSIT_MINOR


async def test_an_open_stay_blocks_and_is_told_at_once(world: World) -> None:
    driver = await world.driver("w", 0)
    stay_id = await world.park(driver.card_id, 100)
    async with tx(world.pool) as conn:
        await conn.execute("update charge set state = 'waived' where charge_id = $1", stay_id)
        await conn.execute(
            "insert into stay (bucket, stay_id, card_id, operator_id, lot_id, vehicle_class, entry_gate_id,"
            " entry_epoch, entry_seq, entry_at, state, currency, created_at)"
            " values ($1, $2, $3, $4, $5, 'car', $6, 9, 9, $7, 'open', 'USD', $7)",
            bucket_of(stay_id),
            stay_id + 1,
            driver.card_id,
            world.operator_id,
            world.lot_id,
            world.gate_id,
            world.now,
        )
        # What was raised is taken out of the ledger too, so that the books agree at the end of this test.
        await conn.execute("delete from ledger_transfer where code = 'charge_raised'")
    await request(world, driver)
    held = await work(world)
    assert (held.state, held.blocked_reason) == (ReturnState.BLOCKED, "stay_open")
    async with tx(world.pool) as conn:
        await conn.execute(
            "update stay set state = 'abandoned', reason = 'missing_exit' where stay_id = $1", stay_id + 1
        )
    assert (await work(world)).state is ReturnState.WAITING


async def test_an_unknown_attempt_holds_the_deposit(world: World) -> None:
    driver = await world.driver("w", 900, Plan.TIMEOUT_AFTER)
    await request(world, driver)
    world.advance(hours=72)
    await world.park(driver.card_id, 900)
    await world.gate_told(world.now)
    await deduct.run(world.services, owner=OWNER, buckets=world.leases.buckets, now=world.now)
    assert await world.value("select state from attempt where purpose = 'deduct'") == "unknown"
    await returns.advance(world.services, buckets=world.leases.buckets, now=world.now)
    async with world.pool.acquire() as conn:
        held = await returns.of_card(conn, account_id=driver.account_id, card_id=driver.card_id)
    assert (held.state, held.blocked_reason) == (ReturnState.BLOCKED, "charge_due")
    world.advance(seconds=5)
    assert (await work(world)).state is ReturnState.COMPLETED


async def test_in_arrears_the_driver_is_told_once_and_the_deposit_stays(world: World) -> None:
    driver = await owing(world, "poor", 900)
    await request(world, driver)
    for _ in range(3):
        held = await after_the_wait(world)
    assert (held.state, held.blocked_reason) == (ReturnState.BLOCKED, "arrears")
    assert await world.value("select count(*) from notice where kind = 'return_in_arrears'") == 1
    assert await world.funds(driver) == 0


async def test_a_withdrawn_return_gives_the_card_back_with_its_freeze(world: World) -> None:
    driver, poor = await world.driver("w", 0), await owing(world, "poor", 900)
    for someone, state in ((driver, "active"), (poor, "frozen")):
        await request(world, someone)
        assert await world.card_state(someone.card_id) == "returning"
        assert (await withdraw(world, someone)).state is ReturnState.WITHDRAWN
        assert await world.card_state(someone.card_id) == state
    again = await request(world, driver)
    assert again.state is ReturnState.REQUESTED, "a withdrawn return does not stand in the way of a new one"


async def test_nothing_is_withdrawn_once_the_refund_has_begun(world: World) -> None:
    driver = await world.driver("w", 0)
    await request(world, driver)
    world.advance(hours=73)
    await world.gate_told(world.now)
    await returns.advance(world.services, buckets=world.leases.buckets, now=world.now)
    with pytest.raises(ReturnNotOpen):
        await withdraw(world, driver)
    await work(world)
    with pytest.raises(ReturnNotOpen):
        await withdraw(world, driver)
    with pytest.raises(IllegalTransition):
        await request(world, driver)


async def test_racing_workers_refund_at_most_once(world: World) -> None:
    driver = await world.driver("w", 0)
    await request(world, driver)
    world.advance(hours=73)
    await world.gate_told(world.now)
    for _ in range(3):
        await asyncio.gather(
            *(returns.advance(world.services, buckets=world.leases.buckets, now=world.now) for _ in range(4)),
            world.settle(),
        )
    assert (await work(world)).state is ReturnState.COMPLETED
    assert await world.value("select count(*) from refund") == 1
    assert await world.funds(driver) == seed.DEPOSIT_MINOR


async def test_a_withdrawal_racing_the_release_leaves_one_of_both(world: World) -> None:
    # Wallets whose refund the channel answers at once: whoever wins, the round is over then.
    names = (f"w{number}" for number in itertools.count())
    answered = (name for name in names if refund_plan(CHANNEL_SEED, wallet=name, place=1) is Plan.OK)
    for name in itertools.islice(answered, 5):
        driver = await world.driver(name, 0)
        await request(world, driver)
        world.advance(hours=73)
        await world.gate_told(world.now)
        answers = await asyncio.gather(
            withdraw(world, driver),
            returns.advance(world.services, buckets=world.leases.buckets, now=world.now),
            return_exceptions=True,
        )
        done = await work(world)
        if done.state is ReturnState.WITHDRAWN:
            assert await world.funds(driver) == 0
            assert await world.card_state(driver.card_id) == "active"
        else:
            assert isinstance(answers[0], ReturnNotOpen | IllegalTransition)
            assert (done.state, await world.funds(driver)) == (ReturnState.COMPLETED, seed.DEPOSIT_MINOR)


async def test_an_agreement_that_another_card_uses_is_not_ended(world: World) -> None:
    driver = await world.driver("w", 0)
    async with tx(world.pool) as conn:
        other = await seed.operator(conn, world.services.vault, name="Other", deposit_minor=0)
        agreement_id = await conn.fetchval("select agreement_id from card where card_id = $1", driver.card_id)
        await seed.card(conn, account_id=driver.account_id, operator_id=other, agreement_id=agreement_id)
    await request(world, driver)
    assert (await after_the_wait(world)).state is ReturnState.COMPLETED
    assert await world.value("select state from agreement where agreement_id = $1", agreement_id) == "active"
