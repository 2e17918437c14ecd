"""Refunds: asked for once, one number, given back once whatever becomes of the answers."""

import asyncio
from functools import partial

import pytest

from gate_sim.channel.plan import Plan, refund_plan
from parkflow.channel.port import Outcome, Result
from parkflow.charge import pay
from parkflow.db.tx import in_tx, tx
from parkflow.kit.ids import bucket_of
from parkflow.refund import rules
from parkflow.refund import service as refunds
from tests.till import Till

DEPOSIT_MINOR = 2000


async def _deposit(till: Till, wallet: str) -> int:
    card_id = await till.driver(wallet, DEPOSIT_MINOR, Plan.OK, state="issued")
    await till.charge(card_id, DEPOSIT_MINOR, kind="deposit")
    await pay.pay_now(till.services, bucket=bucket_of(card_id), charge_ids=[card_id], purpose="deposit", now=till.now)
    return card_id


async def _request(till: Till, card_id: int) -> bool:
    return await in_tx(till.pool, partial(refunds.request_deposit, card_id=card_id, now=till.now))


async def test_every_deposit_goes_back_once_under_lost_answers(till: Till) -> None:
    cards = [await _deposit(till, f"w{n}") for n in range(30)]
    for card_id in cards:
        assert await _request(till, card_id)
        assert not await _request(till, card_id)
    assert len({refund_plan(7, wallet=f"w{n}", place=1) for n in range(30)}) > 1
    await till.work_on(days=1)
    assert {row["state"] for row in await till.rows("select state from refund")} == {"succeeded"}
    assert [till.funds(f"w{n}") for n in range(30)] == [DEPOSIT_MINOR] * 30
    assert {await till.state(card_id) for card_id in cards} == {"refunded"}
    assert await till.value("select count(*) from ledger_transfer where code = 'deposit_refunded'") == 30
    assert not await _request(till, cards[0])


async def test_two_workers_give_a_deposit_back_once(till: Till) -> None:
    card_id = await _deposit(till, "w")
    await asyncio.gather(*(_request(till, card_id) for _ in range(5)))
    assert await till.value("select count(*) from refund") == 1
    await asyncio.gather(till.refund(), till.refund(), till.refund())
    await till.work_on(days=1)
    assert till.funds("w") == DEPOSIT_MINOR


async def test_a_card_without_paid_deposit_has_nothing_to_give_back(till: Till) -> None:
    card_id = await till.driver("w", 0, Plan.OK)
    with pytest.raises(refunds.NothingToRefund):
        await _request(till, card_id)


async def test_corrections_never_exceed_what_was_paid(till: Till) -> None:
    charge_id = await till.charge(await till.driver("w", 500, Plan.OK))
    await till.deduct()

    async def correct(amount_minor: int) -> str:
        settings = till.services.settings
        async with tx(till.pool) as conn:
            return await refunds.request_correction(
                conn, charge_id=charge_id, amount_minor=amount_minor, settings=settings, now=till.now
            )

    first = await correct(200)
    assert rules.order_of_refund(first) == rules.order_of_refund(f"R{first[3:]}")
    with pytest.raises(refunds.NothingToRefund):
        await correct(301)
    await till.work_on(days=1)
    assert await till.state(charge_id) == "part_refunded"
    await correct(300)
    await till.work_on(days=1)
    assert await till.state(charge_id) == "refunded"
    assert till.funds("w") == 500


async def test_the_same_refund_told_many_times_is_booked_once(till: Till) -> None:
    card_id = await _deposit(till, "w")
    await _request(till, card_id)
    await till.work_on(days=1)
    row = await till.row("select refund_no, channel_refunded_at from refund")
    told = Result(
        Outcome.SUCCEEDED, row["refund_no"], channel_no="c", amount_minor=None, paid_at=row["channel_refunded_at"]
    )
    for _ in range(3):
        work = partial(refunds.record_results, results=[told], settings=till.services.settings, now=till.now)
        assert await in_tx(till.pool, work) == ()
    assert await till.value("select count(*) from ledger_transfer where code = 'deposit_refunded'") == 1
