"""Answers that come by other ways than the call: notified, late, doubled, forged, or against what was said before."""

import asyncio
import json
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from gate_sim.channel.plan import Plan
from parkflow.channel.port import Outcome, Result
from parkflow.channel.simulated_wire import request_headers
from parkflow.charge import pay, rules, settle
from parkflow.charge import service as charges
from parkflow.db.tx import in_tx, tx
from parkflow.kit.ids import bucket_of
from parkflow.kit.money import Minor
from tests.edge import client_of
from tests.till import SECRET, Till

TARGET = "/v1/channels/sim/notifications"


def _order(order_no: str, till: Till, *, amount_minor: int = 500, state: str = "succeeded") -> dict[str, Any]:
    at = till.now.isoformat()
    return {
        "order_no": order_no,
        "state": state,
        "reason": "insufficient_funds",
        "channel_no": f"c{order_no}",
        "amount_minor": amount_minor,
        "currency": "USD",
        "paid_at": at,
    }


async def _notify(till: Till, order: dict[str, Any], *, id: str = "n1", secret: bytes = SECRET) -> httpx.Response:
    fields = {"id": id, "kind": "order", "occurred_at": till.now.isoformat(), "order": order}
    body = json.dumps(fields).encode()
    headers = request_headers(secret, now=till.clock.wall(), method="POST", target=TARGET, body=body)
    async with client_of(till.services) as client:
        return await client.post(TARGET, content=body, headers=headers)


async def _tell(till: Till, *results: Result) -> settle.Settled:
    return await in_tx(
        till.pool, partial(settle.record_results, results=results, settings=till.services.settings, now=till.now)
    )


async def _paid_codes(till: Till, charge_id: int) -> list[str]:
    found = await till.rows(
        "select code from ledger_transfer where code <> 'charge_raised' and reference like $1 order by code, reference",
        f"%{rules.order_number(charge_id, 1)[:13]}%",
    )
    return [row["code"] for row in found]


async def test_a_notification_settles_what_was_unknown_and_its_copies_change_nothing(till: Till) -> None:
    charge_id = await till.charge(await till.driver("w", 600, Plan.TIMEOUT_AFTER))
    await till.deduct()
    order = _order(rules.order_number(charge_id, 1), till)
    answers = await asyncio.gather(*(_notify(till, order) for _ in range(15)), _notify(till, order, id="n2"))
    assert {answer.status_code for answer in answers} == {200}
    assert await till.state(charge_id) == "paid"
    assert await _paid_codes(till, charge_id) == ["charge_paid"]
    assert await till.value("select count(*) from channel_notification") == 2


@pytest.mark.parametrize("change", [{"amount_minor": 499}, {"currency": "CNY"}])
async def test_a_success_over_anything_else_than_our_order_is_not_believed(till: Till, change: dict[str, Any]) -> None:
    charge_id = await till.charge(await till.driver("w", 600, Plan.TIMEOUT_AFTER))
    await till.deduct()
    assert (await _notify(till, {**_order(rules.order_number(charge_id, 1), till), **change})).status_code == 200
    assert await till.state(charge_id) == "attempting"
    await till.work_on(days=1)


async def test_a_notification_that_is_not_signed_or_not_ours_is_refused(till: Till) -> None:
    charge_id = await till.charge(await till.driver("w", 600, Plan.TIMEOUT_AFTER))
    await till.deduct()
    order = _order(rules.order_number(charge_id, 1), till)
    forged = await _notify(till, order, secret=b"another secret")
    assert (forged.status_code, forged.json()["code"]) == (401, "signature_invalid")
    for number in (rules.order_number(charge_id, 2), "order0001", rules.order_number(charge_id + 1, 1)):
        assert (await _notify(till, _order(number, till))).status_code == 404
    assert await till.value("select count(*) from channel_notification") == 0
    assert await till.state(charge_id) == "attempting"
    await till.work_on(days=1)


async def test_a_failure_notified_after_the_success_changes_nothing(till: Till) -> None:
    charge_id = await till.charge(await till.driver("w", 600, Plan.OK))
    await till.deduct()
    assert (await _notify(till, _order(rules.order_number(charge_id, 1), till, state="declined"))).status_code == 200
    assert await till.state(charge_id) == "paid"


def _late(order_no: str, till: Till, amount_minor: int = 500) -> Result:
    return Result(
        Outcome.SUCCEEDED,
        order_no,
        channel_no=f"c{order_no}",
        amount_minor=Minor(amount_minor),
        currency="USD",
        paid_at=till.now,
        raw_code="late",
    )


@pytest.fixture
async def telling(till: Till) -> Till:
    """A till whose channel is said to have moved money that is not in its book."""
    till.check_books = _no_check  # type: ignore[method-assign]
    return till


async def _no_check() -> None:
    return None


async def test_a_success_after_its_decline_pays_the_charge(telling: Till) -> None:
    charge_id = await telling.charge(await telling.driver("w", 600, Plan.INSUFFICIENT))
    await telling.deduct()
    assert await telling.attempts(charge_id) == ["declined"]
    settled = await _tell(telling, _late(rules.order_number(charge_id, 1), telling))
    assert (settled.paid, settled.surplus) == (1, 0)
    assert await telling.state(charge_id) == "paid"
    telling.clock.advance(days=1)
    assert await telling.deduct() == 0


async def test_a_second_success_is_surplus_and_goes_back_once(telling: Till) -> None:
    charge_id = await telling.charge(await telling.driver("w", 600, Plan.INSUFFICIENT, Plan.OK))
    await telling.deduct()
    telling.clock.advance(days=1)
    await telling.deduct()
    assert await telling.attempts(charge_id) == ["declined", "succeeded"]
    late = _late(rules.order_number(charge_id, 1), telling)
    settled = [await _tell(telling, late) for _ in range(3)]
    assert [one.surplus for one in settled] == [1, 0, 0]
    assert await _paid_codes(telling, charge_id) == ["charge_paid", "overpayment_received"]
    await telling.refund()
    refund = await telling.row("select reason, amount_minor, order_no from refund")
    assert tuple(refund.values()) == ("surplus", 500, rules.order_number(charge_id, 1))
    assert await telling.value("select count(*) from refund") == 1
    assert await telling.state(charge_id) == "paid"


async def test_a_late_success_while_another_attempt_lives_is_surplus(telling: Till) -> None:
    charge_id = await telling.charge(await telling.driver("w", 600, Plan.INSUFFICIENT, Plan.TIMEOUT_AFTER))
    await telling.deduct()
    telling.clock.advance(days=1)
    await telling.deduct()
    assert await telling.attempts(charge_id) == ["declined", "unknown"]
    settled = await _tell(telling, _late(rules.order_number(charge_id, 1), telling))
    assert (settled.paid, settled.surplus) == (0, 1)
    telling.clock.advance(seconds=5)
    await telling.query()
    assert await telling.attempts(charge_id) == ["succeeded", "succeeded"]
    assert await telling.state(charge_id) == "paid"


async def test_a_late_success_of_a_waived_charge_goes_back(telling: Till) -> None:
    charge_id = await telling.charge(await telling.driver("w", 600, Plan.INSUFFICIENT))
    await telling.deduct()
    async with tx(telling.pool) as conn:
        await charges.waive(conn, charge_id=charge_id, now=telling.now)
    settled = await _tell(telling, _late(rules.order_number(charge_id, 1), telling))
    assert (settled.paid, settled.surplus) == (0, 1)
    assert await telling.state(charge_id) == "waived"


async def test_late_successes_and_new_attempts_at_once_never_pay_twice(telling: Till) -> None:
    ids = [await telling.charge(await telling.driver(f"w{n}", 2000, Plan.INSUFFICIENT)) for n in range(8)]
    await telling.deduct()
    telling.clock.advance(days=1)

    async def repay(charge_id: int) -> None:
        await pay.pay_now(
            telling.services, bucket=bucket_of(charge_id), charge_ids=[charge_id], purpose="repay", now=telling.now
        )

    await asyncio.gather(
        *(_tell(telling, _late(rules.order_number(charge_id, 1), telling)) for charge_id in ids),
        *(repay(charge_id) for charge_id in ids),
        telling.deduct(),
    )
    telling.clock.advance(minutes=30)
    await telling.work_on(days=1)
    for charge_id in ids:
        assert await telling.state(charge_id) == "paid"
        codes = await _paid_codes(telling, charge_id)
        assert codes.count("charge_paid") == 1
        assert codes.count("overpayment_received") <= 1


async def test_all_notifications_lost_the_query_finds_the_same(till: Till) -> None:
    ids = [await till.charge(await till.driver(f"w{n}", 600)) for n in range(40)]
    await till.deduct()
    began = till.now
    while any([await till.state(charge_id) == "attempting" for charge_id in ids]):
        till.clock.advance(seconds=30)
        await till.query()
    assert till.now - began <= timedelta(minutes=15)
