"""Arrears: counted at the cut-off, the card frozen, no credential, thawed as soon as the last one is paid."""

import asyncio

import pytest

from gate_sim.channel.plan import Plan
from parkflow.arrears import service as arrears
from parkflow.charge import deduct
from parkflow.cutoff import service as cutoff
from parkflow.db.tx import in_tx, tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of
from parkflow.notice import service as notices
from tests.day_world import OWNER, Driver, World


async def close_running_day(world: World) -> None:
    """The cut-off at the next turn of the day, as the worker does it."""
    world.advance(days=1)
    async with world.pool.acquire() as conn:
        days = await cutoff.due(conn, now=world.now)
    for due in days:
        await cutoff.close_day(world.services, operator_id=due.operator_id, day=due.day, now=world.now)


async def owing(world: World, wallet: str, *fees_minor: int) -> Driver:
    """A driver with an empty wallet whose parking the cut-off has counted as arrears."""
    driver = await world.driver(wallet, 0)
    for fee_minor in fees_minor:
        await world.park(driver.card_id, fee_minor)
    await world.settle()
    await close_running_day(world)
    return driver


async def test_what_was_declined_is_arrears_after_the_cut_off_and_freezes_the_card(world: World) -> None:
    driver = await owing(world, "poor", 900, 300)
    assert await world.card_state(driver.card_id) == "frozen"
    async with world.pool.acquire() as conn:
        owed = await arrears.open_of_account(conn, account_id=driver.account_id)
    assert sorted(row.amount_minor for row in owed) == [300, 900]
    told = await world.value("select count(*) from notice where kind = 'arrears'")
    assert told == 1, "one notice for both charges"


async def test_the_notice_names_what_is_owed(world: World) -> None:
    driver = await owing(world, "poor", 900, 300)
    sealed = await world.value("select phone_sealed from account where account_id = $1", driver.account_id)
    assert isinstance(sealed, bytes)
    phone = world.services.vault.open("account/phone", sealed).decode()
    async with world.pool.acquire() as conn:
        found = await notices.newest_to(
            conn, world.services.vault, bucket=bucket_of(driver.account_id), kind="arrears", recipient=phone
        )
    assert found is not None
    assert "12.00 USD" in found.body


async def test_a_charge_that_was_paid_or_never_tried_is_no_arrears(world: World) -> None:
    rich = await world.driver("rich", 5_000)
    await world.park(rich.card_id, 900)
    await world.settle()
    late = await world.driver("late", 5_000)
    await world.park(late.card_id, 900)
    await close_running_day(world)
    assert await world.value("select count(*) from arrears") == 0
    assert [await world.card_state(card_id) for card_id in (rich.card_id, late.card_id)] == ["active", "active"]


async def test_an_attempt_without_answer_is_not_counted_against_the_driver(world: World) -> None:
    driver = await world.driver("silent", 5_000, Plan.TIMEOUT_AFTER)
    await world.park(driver.card_id, 900)
    await world.hold_leases()
    await deduct.run(world.services, owner=OWNER, buckets=world.leases.buckets, now=world.now)
    await close_running_day(world)
    assert await world.value("select count(*) from arrears") == 0
    await world.settle()
    assert await world.value("select state from charge where kind = 'stay'") == "paid"


async def test_repaying_clears_and_thaws_at_once(world: World) -> None:
    driver = await owing(world, "poor", 900, 300)
    await world.top_up(driver, 1_200)
    done = await arrears.repay(world.services, account_id=driver.account_id, card_id=None, now=world.now)
    assert (done.paid_minor, done.left_minor, done.currency, done.state) == (1_200, 0, "USD", "paid")
    assert await world.card_state(driver.card_id) == "active"
    assert await world.funds(driver) == 0


async def test_a_repayment_that_does_not_suffice_leaves_the_card_frozen(world: World) -> None:
    driver = await owing(world, "poor", 900, 300)
    await world.top_up(driver, 400)
    done = await arrears.repay(world.services, account_id=driver.account_id, card_id=driver.card_id, now=world.now)
    assert (done.paid_minor, done.left_minor, done.state) == (300, 900, "declined")
    assert await world.card_state(driver.card_id) == "frozen"


async def test_repaying_nothing_does_nothing(world: World) -> None:
    driver = await world.driver("rich", 0)
    done = await arrears.repay(world.services, account_id=driver.account_id, card_id=None, now=world.now)
    assert (done.paid_minor, done.left_minor, done.currency, done.state) == (0, 0, None, "paid")


async def test_nobody_repays_on_the_card_of_another(world: World) -> None:
    poor, rich = await owing(world, "poor", 900), await world.driver("rich", 5_000)
    with pytest.raises(NotFound):
        await arrears.repay(world.services, account_id=rich.account_id, card_id=poor.card_id, now=world.now)


async def test_money_that_comes_by_the_retry_thaws_too(world: World) -> None:
    driver = await owing(world, "poor", 900)
    await world.top_up(driver, 900)
    world.advance(days=7)
    await world.settle()
    cleared = await in_tx(
        world.pool, lambda conn: arrears.clear_paid(conn, buckets=world.leases.buckets, now=world.now)
    )
    assert cleared == 1
    assert await world.card_state(driver.card_id) == "active"


async def test_a_card_frozen_for_another_reason_too_stays_frozen(world: World) -> None:
    driver = await owing(world, "poor", 900)
    async with tx(world.pool) as conn:
        await conn.execute(
            "insert into card_freeze (bucket, card_id, reason, frozen_at) values ($1, $2, 'lost', $3)",
            bucket_of(driver.card_id),
            driver.card_id,
            world.now,
        )
    await world.top_up(driver, 900)
    await arrears.repay(world.services, account_id=driver.account_id, card_id=None, now=world.now)
    assert await world.card_state(driver.card_id) == "frozen"


async def test_new_arrears_in_the_moment_of_thawing_leave_the_card_frozen(world: World) -> None:
    """Either the clearing sees the new arrears, or the cut-off freezes the card again after it."""
    for round_no in range(5):
        driver = await owing(world, f"poor{round_no}", 900)
        stay_id = await world.park(driver.card_id, 300)
        await world.settle()
        async with tx(world.pool) as conn:
            await conn.execute(
                "update charge set state = 'paid', paid_at = $1 where card_id = $2 and state = 'arrears'",
                world.now,
                driver.card_id,
            )
        world.advance(days=1)
        async with world.pool.acquire() as conn:
            (due,) = await cutoff.due(conn, now=world.now)
        await asyncio.gather(
            cutoff.close_day(world.services, operator_id=due.operator_id, day=due.day, now=world.now),
            in_tx(world.pool, lambda conn: arrears.clear_paid(conn, buckets=world.leases.buckets, now=world.now)),
        )
        assert await world.card_state(driver.card_id) == "frozen"
        # Put back what the test bent: the first charge was not really paid.
        async with tx(world.pool) as conn:
            await conn.execute(
                "update charge set state = 'arrears', paid_at = null"
                " where card_id = $1 and charge_id <> $2 and kind = 'stay'",
                driver.card_id,
                stay_id,
            )
            await conn.execute("update arrears set cleared_at = null where card_id = $1", driver.card_id)
