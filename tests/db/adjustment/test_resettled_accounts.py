"""A corrected stay under a cap of the account: later stays are settled again, as if all had come in order."""

from parkflow.db.tx import tx
from parkflow.tariff import service as tariffs
from tests.day_world import TARIFF
from tests.repair_town import RepairTown

CAPPED = TARIFF.replace("id: test", "id: capped").replace(
    "    edge: split\n",
    '    edge: split\n    caps: [{max: 4000, over: {daily: "00:00"}, scope: account, pool: city}]\n',
)


async def cap(town: RepairTown) -> None:
    """At most 4,000 a day for all stays of a card."""
    async with tx(town.world.pool) as conn:
        version = await tariffs.publish(conn, operator_id=town.world.operator_id, source=CAPPED, now=town.world.now)
        await tariffs.assign(
            conn,
            operator_id=town.world.operator_id,
            lot_id=town.world.lot_id,
            sha256=version.sha256,
            valid_from=town.start,
            now=town.world.now,
        )


async def test_the_account_is_settled_again_from_the_corrected_stay_on(town: RepairTown) -> None:
    await cap(town)
    car, other = await town.driver("a"), await town.driver("b")
    for one in (car, other):
        for minute in (0, 100, 200):
            await town.seen(one, "entry", minute)
            await town.seen(one, "exit", minute + 60)
    await town.work()
    assert [stay[3] for stay in await town.stays(car)] == [3_600, 400, 0]
    await town.seen(car, "exit", 10)
    await town.work()
    assert [stay[3] for stay in await town.stays(car)] == [600, 3_400, 0]
    assert await town.corrections(car) == ["exit_replaced", "account_resettled", "account_resettled"]
    assert [stay[3] for stay in await town.stays(other)] == [3_600, 400, 0]
    assert [await town.spent(one) for one in (car, other)] == [4_000, 4_000]
    await town.seen(car, "entry", 300)
    await town.seen(car, "exit", 310)
    await town.work()
    assert [stay[3] for stay in await town.stays(car)] == [600, 3_400, 0, 0], "the history is that of the new fees"
