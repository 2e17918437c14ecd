"""The money follows a stay that a late scan corrects: before the deduct by another charge, later by the difference."""

import asyncio

from tests.repair_town import RepairTown


async def test_before_the_deduct_the_charge_is_replaced(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.seen(car, "exit", 60)
    await town.apply()
    await town.charge()
    await town.seen(car, "exit", 20)
    assert (await town.apply()).repaired == 1
    assert await town.adjust() == 1
    assert await town.moves(car) == [(3_600, 1_200, 3_600, 1_200, 0)]
    await town.pay()
    assert await town.spent(car) == 1_200
    assert await town.stays(car) == [("priced", 0, 20, 1_200)]
    assert await town.corrections(car) == ["exit_replaced"]


async def test_after_the_deduct_the_difference_goes_back(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.seen(car, "exit", 60)
    await town.work()
    assert await town.spent(car) == 3_600
    await town.seen(car, "exit", 20)
    await town.work()
    assert await town.moves(car) == [(3_600, 1_200, 0, 0, 2_400)]
    assert await town.spent(car) == 1_200


async def test_after_the_deduct_more_is_charged_as_an_adjustment(town: RepairTown) -> None:
    await town.policy(missing_exit="maximum", missing_minutes=10)
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.apply()
    town.world.advance(hours=49)
    await town.world.gate_told(town.world.now)
    assert await town.give_up() == 1
    await town.work()
    assert await town.marks(car) == [["exit_at_maximum", "missing_exit"]]
    assert await town.spent(car) == 600
    await town.seen(car, "exit", 60)
    await town.work()
    assert await town.corrections(car) == ["exit_arrived"]
    assert await town.moves(car) == [(600, 3_600, 0, 3_000, 0)]
    assert await town.spent(car) == 3_600
    kinds = await town.world.value("select array_agg(kind order by created_at) from charge where kind <> 'deposit'")
    assert kinds == ["stay", "adjustment"]


async def test_a_missing_entry_that_comes_days_later_gives_the_exit_to_its_stay(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.seen(car, "exit", 120)
    await town.work()
    assert await town.spent(car) == 7_200
    town.world.advance(hours=60)
    await town.world.gate_told(town.world.now)
    await town.seen(car, "entry", 100)
    await town.work()
    assert await town.stays(car) == [("abandoned", 0, None, None), ("priced", 100, 120, 1_200)]
    assert await town.corrections(car) == ["exit_reassigned"]
    assert await town.spent(car) == 1_200
    await town.seen(car, "exit", 30)
    await town.work()
    assert [stay[1:3] for stay in await town.stays(car)] == [(0, 30), (100, 120)]
    assert await town.spent(car) == 1_800 + 1_200


async def test_the_adjustment_waits_while_an_attempt_may_still_succeed(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.seen(car, "exit", 60)
    await town.apply()
    await town.charge()
    stay_id = await town.world.value("select stay_id from stay")
    await town.world.value(
        "with tried as (update charge set state = 'attempting', attempt_count = 1, next_attempt_at = null"
        " where kind = 'stay' returning *) insert into attempt (bucket, charge_id, number, order_no, purpose, channel,"
        " payer_ref, amount_minor, request, state, owner, created_at, unknown_at, next_query_at)"
        " select bucket, charge_id, 1, 'order00000001', 'deduct', 'sim', 'ref', net_minor, '', 'unknown', 'x', $1, $1,"
        " $1::timestamptz + interval '1 day' from tried returning 1",
        town.world.now,
    )
    await town.seen(car, "exit", 20)
    await town.apply()
    assert await town.adjust() == 0
    assert await town.moves(car) == []
    await town.world.value(
        "update attempt set state = 'closed', answered_at = $1 where order_no = 'order00000001' returning 1",
        town.world.now,
    )
    await town.world.value(
        "update charge set state = 'due', next_attempt_at = $2 where charge_id = $1 returning 1",
        stay_id,
        town.world.now,
    )
    assert await town.adjust() == 1
    await town.pay()
    assert await town.spent(car) == 1_200


async def test_a_correction_moves_money_once_however_many_adjust_it(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.seen(car, "exit", 60)
    await town.work()
    await town.seen(car, "exit", 20)
    await town.apply()
    done = await asyncio.gather(*(town.adjust() for _ in range(4)))
    assert sum(done) == 1
    await town.pay()
    assert await town.spent(car) == 1_200


async def test_two_workers_that_repair_at_once_repair_once(town: RepairTown) -> None:
    cars = [await town.driver(name) for name in ("a", "b", "c")]
    for car in cars:
        await town.seen(car, "entry", 0)
        await town.seen(car, "exit", 60)
    await town.work()
    for car in cars:
        await town.seen(car, "exit", 20)
    ends = await asyncio.gather(*(town.apply() for _ in range(4)), return_exceptions=True)
    assert sum(end.repaired for end in ends if not isinstance(end, BaseException)) == 3
    await town.work()
    assert [await town.spent(car) for car in cars] == [1_200] * 3


async def test_a_late_correction_posts_to_the_open_day_with_its_own_time(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.seen(car, "exit", 60)
    await town.apply()
    await town.charge()
    town.world.advance(hours=30)
    await town.seen(car, "exit", 20)
    await town.apply()
    await town.adjust()
    times = await town.world.value(
        "select array_agg(distinct occurred_at) from ledger_transfer where code in ('charge_waived', 'charge_raised')"
        " and posted_at = $1",
        town.world.now,
    )
    assert times == [town.at(20)]


async def test_what_went_back_before_cannot_go_back_twice(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.seen(car, "exit", 60)
    await town.work()
    await town.seen(car, "exit", 20)
    await town.work()
    await town.seen(car, "exit", 10)
    await town.work()
    assert await town.moves(car) == [(3_600, 1_200, 0, 0, 2_400), (1_200, 600, 0, 0, 600)]
    assert await town.spent(car) == 600
