"""Deducting against a channel that loses answers: every charge is taken at most once, and the books agree."""

import asyncio
from datetime import timedelta

import pytest

from gate_sim.channel.plan import Plan
from parkflow.charge import orders, pay, store
from parkflow.charge import service as charges
from parkflow.charge.pay import PayState
from parkflow.db.tx import tx
from parkflow.kit.ids import bucket_of
from tests.till import ALL_BUCKETS, WORKER, Till

DAY_TURN_9 = "2017-10-21 13:00:00+00:00"  # 09:00 in Charlottesville on the next day


@pytest.mark.parametrize("plan", [one for one in Plan if one not in (Plan.INSUFFICIENT, Plan.PENDING_DECLINED)])
async def test_whatever_becomes_of_the_answer_the_money_is_taken_once(till: Till, plan: Plan) -> None:
    card_id = await till.driver("w", 600, plan)
    charge_id = await till.charge(card_id)
    assert await till.deduct() == 1
    assert await till.state(charge_id) == ("paid" if plan is Plan.OK else "attempting")
    await till.work_on(days=1)
    assert await till.state(charge_id) == "paid"
    assert await till.attempts(charge_id) == ["succeeded"]
    assert till.funds("w") == 100
    assert await till.deduct() == 0


@pytest.mark.parametrize("plan", [Plan.INSUFFICIENT, Plan.PENDING_DECLINED])
async def test_a_decline_is_tried_again_the_next_morning_under_a_new_number(till: Till, plan: Plan) -> None:
    card_id = await till.driver("w", 600, plan, Plan.OK)
    charge_id = await till.charge(card_id)
    await till.deduct()
    while await till.state(charge_id) == "attempting":
        till.clock.advance(minutes=1)
        await till.work()
    row = await till.row("select * from charge where charge_id = $1", charge_id)
    assert (row["state"], row["declined_count"]) == ("due", 1)
    assert str(row["next_attempt_at"]) == DAY_TURN_9
    till.clock.move_to(row["next_attempt_at"])
    await till.work()
    assert await till.attempts(charge_id) == ["declined", "succeeded"]


async def test_after_the_third_retry_only_the_driver_can_pay(till: Till) -> None:
    card_id = await till.driver("w", 0, *[Plan.OK] * 9)
    charge_id = await till.charge(card_id)
    await till.work_on(days=30)
    assert await till.attempts(charge_id) == ["declined"] * 4
    days = [row["created_at"].date().day for row in await till.rows("select created_at from attempt order by number")]
    assert days == [20, 21, 23, 27]


async def test_arrears_keep_their_state_while_they_are_tried_and_become_paid(till: Till) -> None:
    card_id = await till.driver("w", 0, *[Plan.OK] * 9)
    charge_id = await till.charge(card_id)
    trying = await till.charge(await till.driver("v", 500, Plan.PENDING))
    await till.deduct()
    async with tx(till.pool) as conn:
        marked = await charges.mark_arrears(conn, operator_id=till.operator_id, now=till.now)
    assert [row.charge_id for row in marked] == [charge_id]
    till.clock.advance(days=1)
    await till.work()
    assert await till.state(charge_id) == "arrears"
    till.book.move_funds("w", 500)
    results = await pay.pay_now(
        till.services, bucket=bucket_of(charge_id), charge_ids=[charge_id], purpose="repay", now=till.now
    )
    assert [(one.charge_id, one.state) for one in results] == [(charge_id, PayState.PAID)]
    assert await till.state(charge_id) == "paid"
    assert await till.state(trying) == "paid"


async def test_a_short_wallet_pays_the_oldest_charges_of_its_card_first(till: Till) -> None:
    card_id = await till.driver("w", 1000, *[Plan.OK] * 9)
    ids = []
    for _ in range(4):
        ids.append(await till.charge(card_id, 400))
        till.clock.advance(seconds=1)
    await till.deduct()
    assert [await till.state(charge_id) for charge_id in ids] == ["paid", "paid", "due", "due"]


@pytest.mark.parametrize(("lot_state", "reason"), [("applied", "lot_not_live"), ("suspended", "lot_not_live")])
async def test_a_lot_that_is_not_live_is_refused_without_the_network(till: Till, lot_state: str, reason: str) -> None:
    charge_id = await till.charge(await till.driver("w", 600))
    async with tx(till.pool) as conn:
        await conn.execute("update lot_channel set state = $1", lot_state)
    await till.deduct()
    row = await till.row(
        "select a.*, c.declined_count, c.state as charge_state from attempt a join charge c using (charge_id)"
    )
    assert (row["state"], row["reason"], row["sent_at"]) == ("declined", reason, None)
    assert (row["charge_state"], row["declined_count"]) == ("due", 0)
    async with tx(till.pool) as conn:
        await conn.execute("update lot_channel set state = 'live'")
    till.clock.advance(hours=1)
    await till.work_on(days=1)
    assert await till.state(charge_id) == "paid"


async def test_an_ended_agreement_counts_as_a_decline(till: Till) -> None:
    charge_id = await till.charge(await till.driver("w", 600))
    async with tx(till.pool) as conn:
        await conn.execute("update agreement set state = 'ended'")
    await till.deduct()
    row = await till.row("select c.declined_count, a.reason from charge c join attempt a using (charge_id)")
    assert (row["declined_count"], row["reason"]) == (1, "agreement_gone")
    assert await till.state(charge_id) == "due"


async def test_a_channel_that_is_down_delays_and_doubles_nothing(till: Till) -> None:
    ids = [await till.charge(await till.driver(f"w{n}", 600, Plan.OK)) for n in range(5)]
    channel = till.services.channels["sim"]
    base_url = channel._client.base_url  # type: ignore[attr-defined]
    channel._client.base_url = "http://127.0.0.1:1"  # type: ignore[attr-defined]
    await till.deduct()
    down_until = till.now + timedelta(hours=6)
    while till.now < down_until:
        till.clock.advance(minutes=5)
        await till.query()
    assert {await till.state(charge_id) for charge_id in ids} == {"attempting"}
    channel._client.base_url = base_url  # type: ignore[attr-defined]
    back_at = till.now
    while any([await till.state(charge_id) == "attempting" for charge_id in ids]):
        till.clock.advance(minutes=1)
        await till.work()
    assert till.now - back_at <= timedelta(minutes=30)
    assert [await till.attempts(charge_id) for charge_id in ids] == [["succeeded"]] * 5


async def test_two_workers_and_a_repaying_driver_take_a_charge_once(till: Till) -> None:
    ids = [await till.charge(await till.driver(f"w{n}", 2000)) for n in range(6)]

    async def repay(charge_id: int) -> object:
        return await pay.pay_now(
            till.services, bucket=bucket_of(charge_id), charge_ids=[charge_id], purpose="repay", now=till.now
        )

    await asyncio.gather(till.deduct(), till.deduct(), *(repay(charge_id) for charge_id in ids))
    await till.work_on(days=9)
    assert {await till.state(charge_id) for charge_id in ids} == {"paid"}
    assert [till.funds(f"w{n}") for n in range(6)] == [1500] * 6


async def test_a_worker_without_the_lease_tries_nothing(till: Till) -> None:
    charge_id = await till.charge(await till.driver("w", 600, Plan.OK))
    assert await till.deduct("worker-2") == 0
    await till.lease_to("worker-2")
    assert await till.deduct(WORKER) == 0
    assert await till.deduct("worker-2") == 1
    assert await till.state(charge_id) == "paid"


@pytest.mark.parametrize("was_sent", [False, True])
@pytest.mark.parametrize("reached", [False, True])
async def test_what_a_dead_worker_left_behind_is_taken_up_at_once(till: Till, was_sent: bool, reached: bool) -> None:
    charge_id = await till.charge(await till.driver("w", 600, Plan.OK))
    async with tx(till.pool) as conn:
        due = await store.due_charges(conn, owner=WORKER, buckets=ALL_BUCKETS, now=till.now, limit=9)
        recorded = await orders.record(till.services, conn, due, purpose="deduct", owner=WORKER, now=till.now)
        if was_sent:
            await orders.mark_sent(conn, recorded, owner=WORKER, now=till.now)
    if was_sent and reached:
        await till.services.channels["sim"].deduct(recorded[0].draft.order_no, recorded[0].draft.request)
    assert await till.query(WORKER) == 0
    await till.lease_to("worker-2")
    assert await till.deduct("worker-2") == 0
    assert await till.query("worker-2") == 1
    assert await till.state(charge_id) == "paid"
    assert till.funds("w") == 100
    row = await till.row("select unknown_at from attempt where charge_id = $1", charge_id)
    assert row["unknown_at"] is None


async def test_a_deposit_is_paid_by_its_driver_and_makes_the_card_active(till: Till) -> None:
    card_id = await till.driver("w", 1500, Plan.OK, Plan.OK, Plan.TIMEOUT_AFTER, state="issued")
    charge_id = await till.charge(card_id, 2000, kind="deposit")

    async def deposit() -> PayState:
        (one,) = await pay.pay_now(
            till.services, bucket=bucket_of(card_id), charge_ids=[charge_id], purpose="deposit", now=till.now
        )
        return one.state

    await till.work()
    assert await till.attempts(charge_id) == []
    assert await deposit() is PayState.DECLINED
    assert await deposit() is PayState.DECLINED
    till.book.move_funds("w", 1000)
    assert await deposit() is PayState.PAID
    assert await till.value("select state from card where card_id = $1", card_id) == "active"
    assert await deposit() is PayState.PAID
    assert [row["code"] for row in await till.rows("select code from ledger_transfer")] == ["deposit_paid"]
    async with tx(till.pool) as conn:
        assert await charges.mark_arrears(conn, operator_id=till.operator_id, now=till.now) == []


async def test_a_charge_that_was_declined_too_often_rests(till: Till) -> None:
    card_id = await till.driver("w", 0, *[Plan.OK] * 20)
    charge_id = await till.charge(card_id)
    for _ in range(10):
        await pay.pay_now(
            till.services, bucket=bucket_of(card_id), charge_ids=[charge_id], purpose="repay", now=till.now
        )
    with pytest.raises(pay.TooManyAttempts):
        await pay.pay_now(
            till.services, bucket=bucket_of(card_id), charge_ids=[charge_id], purpose="repay", now=till.now
        )


async def test_a_waived_charge_is_not_owed_and_not_tried(till: Till) -> None:
    charge_id = await till.charge(await till.driver("w", 600))
    async with tx(till.pool) as conn:
        await charges.waive(conn, charge_id=charge_id, now=till.now)
    assert await till.deduct() == 0
    living = await till.charge(await till.driver("v", 600, Plan.PENDING))
    await till.deduct()
    with pytest.raises(charges.ChargeNotWaivable):
        async with tx(till.pool) as conn:
            await charges.waive(conn, charge_id=living, now=till.now)
    await till.work_on(days=1)
