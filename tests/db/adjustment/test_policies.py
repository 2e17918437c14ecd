"""Missing ends by the lot's policy, doubtful clocks, quarantined gates, and what drivers and receipts are told."""

from typing import Any

import pytest

from parkflow.db.tx import tx
from parkflow.gate import service as gate_service
from parkflow.gate.state import GateEvent
from parkflow.kit.ids import bucket_of, to_text
from parkflow.parking import missing
from parkflow.receipt import service as receipts
from parkflow.receipt.verify import verify
from tests import seed
from tests.day_world import OWNER, Driver
from tests.edge import client_of
from tests.repair_town import RepairTown

BUCKETS = list(range(1024))


async def wait_in_vain(town: RepairTown) -> None:
    """Every gate has uploaded all, and the hours of the policy are over."""
    town.world.advance(hours=50)
    await town.world.gate_told(town.world.now)
    await town.give_up()


@pytest.mark.parametrize(
    ("policy", "ends", "marks"),
    [
        ({"missing_exit": "next_entry"}, ("priced", 0, 90, 5_400), ["exit_from_next_entry", "missing_exit"]),
        ({"missing_exit": "maximum", "missing_minutes": 9}, ("priced", 0, 9, 540), ["exit_at_maximum", "missing_exit"]),
        ({"missing_exit": "operator"}, ("held", 0, None, None), ["missing_exit"]),
        ({}, ("abandoned", 0, None, None), ["missing_exit"]),
    ],
)
async def test_a_missing_exit_is_settled_as_the_policy_says_and_undone_when_the_exit_comes(
    town: RepairTown, policy: dict[str, object], ends: tuple[object, ...], marks: list[str]
) -> None:
    await town.policy(**policy)
    car = await town.driver("a")
    for direction, minute in (("entry", 0), ("entry", 90), ("exit", 100)):
        await town.seen(car, direction, minute)
    await wait_in_vain(town)
    await town.work()
    assert (await town.stays(car))[0] == ends
    assert await town.marks(car) == [marks, ["double_entry"]]
    await town.seen(car, "exit", 10)
    await town.work()
    assert (await town.stays(car))[0] == ("priced", 0, 10, 600)
    assert await town.marks(car) == [[], []]
    assert await town.spent(car) == 600 + 600


async def test_a_missing_entry_by_the_maximum_is_void_when_the_true_entry_comes(town: RepairTown) -> None:
    await town.policy(missing_entry="maximum", missing_minutes=30)
    car = await town.driver("a")
    await town.seen(car, "exit", 60)
    await town.apply()
    await wait_in_vain(town)
    await town.work()
    assert await town.stays(car) == [("priced", 30, 60, 1_800)]
    assert await town.marks(car) == [["entry_at_maximum"]]
    await town.seen(car, "entry", 50)
    await town.work()
    assert await town.stays(car) == [("priced", 50, 60, 600)]
    assert await town.corrections(car) == ["entry_arrived"]
    assert await town.spent(car) == 600


async def test_two_scans_of_one_entry_the_first_of_which_comes_last_are_one_stay(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 1)
    await town.seen(car, "exit", 20)
    await town.work()
    await town.seen(car, "entry", 0.5)
    await town.work()
    assert await town.stays(car) == [("priced", 0.5, 20, 1_170)]
    assert await town.corrections(car) == ["entry_repeated"]
    assert await town.spent(car) == 1_170


async def test_a_doubtful_clock_is_settled_in_the_drivers_favour(town: RepairTown) -> None:
    late, crossed, mixed = [await town.driver(name) for name in ("a", "b", "c")]
    await town.seen(late, "entry", 0, doubt=(-10, 5))
    await town.seen(late, "exit", 60, doubt=(50, 90))
    # The earliest exit lies before the latest entry: the stay may have been as short as nothing.
    await town.seen(crossed, "entry", 5, doubt=(0, 30))
    await town.seen(crossed, "exit", 15, doubt=(10, 40))
    await town.seen(mixed, "entry", 0)
    await town.seen(mixed, "exit", 10, medium="plate")
    await town.work()
    assert await town.stays(late) == [("priced", 5, 50, 2_700)]
    assert await town.stays(crossed) == [("priced", 10, 10, 0)]
    assert [await town.marks(car) for car in (late, crossed, mixed)] == [
        [["clock_doubt"]],
        [["clock_doubt"]],
        [["cross_medium"]],
    ]
    await town.seen(crossed, "exit", 4, doubt=(2, 6))
    await town.work()
    assert await town.spent(late) == 2_700


async def test_a_quarantined_gates_scans_are_applied_days_later_when_it_is_released(town: RepairTown) -> None:
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.apply()
    async with tx(town.world.pool) as conn:
        gate = await gate_service.get(conn, town.world.gate_id)
        await gate_service.change_state(conn, gate, GateEvent.QUARANTINE, reason="x", actor="a", now=town.world.now)
    await town.seen(car, "exit", 30)
    await wait_in_vain(town)
    await town.work()
    assert await town.stays(car) == [("abandoned", 0, None, None)]
    town.world.advance(hours=72)
    async with tx(town.world.pool) as conn:
        await gate_service.change_state(conn, gate, GateEvent.RELEASE, reason="x", actor="a", now=town.world.now)
    await town.work()
    assert await town.stays(car) == [("priced", 0, 30, 1_800)]
    assert await town.corrections(car) == ["exit_arrived"]
    assert await town.spent(car) == 1_800


async def stays_of(town: RepairTown, car: Driver) -> list[dict[str, Any]]:
    """What the driver's app is told."""
    services = town.world.services
    async with tx(services.pool) as conn:
        token = await seed.session(conn, car.account_id, now=town.world.now)
    async with client_of(services) as client:
        answer = await client.get("/v1/driver/stays", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["stays"]
    return found


async def tell(town: RepairTown) -> int:
    async with tx(town.world.pool) as conn:
        return await missing.tell(conn, town.world.services.vault, owner=OWNER, buckets=BUCKETS, now=town.world.now)


async def test_a_driver_is_told_once_that_an_exit_is_missing(town: RepairTown) -> None:
    car, other = await town.driver("a"), await town.driver("b")
    await town.seen(car, "entry", 0)
    await town.seen(other, "entry", 0)
    await town.apply()
    assert await tell(town) == 0
    assert [stay["missing"] for stay in await stays_of(town, car)] == [None]
    await town.seen(car, "entry", 90)
    await town.apply()
    assert (await tell(town), await tell(town)) == (1, 0)
    [stay] = await stays_of(town, car)
    assert stay["missing"] == "exit"
    assert "Market Street at 2017-10-20" in stay["missing_text"]
    assert await told(town, car) == stay["missing_text"]
    town.world.advance(hours=49)
    assert await tell(town) == 1
    assert [one["missing"] for one in await stays_of(town, other)] == ["exit"]


async def told(town: RepairTown, car: Driver) -> str:
    async with town.world.pool.acquire() as conn:
        sealed = await conn.fetchrow("select * from notice where kind = 'missing_exit'")
    assert sealed is not None
    body = town.world.services.vault.open("notice/body", sealed["body_sealed"]).decode()
    assert sealed["bucket"] == bucket_of(car.card_id)
    return body


async def test_a_receipt_of_a_corrected_stay_says_how_it_is_known_and_recomputes(town: RepairTown) -> None:
    await town.policy(missing_exit="maximum", missing_minutes=60)
    car = await town.driver("a")
    await town.seen(car, "entry", 0)
    await town.apply()
    await wait_in_vain(town)
    await town.work()
    stay_id = int(await town.world.value("select stay_id from stay"))  # type: ignore[call-overload]
    async with town.world.pool.acquire() as conn:
        inferred = await receipts.of_stay(conn, stay_id)
    assert verify(inferred).same
    assert inferred.calculation.marks == ["exit_at_maximum", "missing_exit"]
    assert inferred.calculation.exit.gate_id is None
    await town.seen(car, "exit", 20)
    await town.apply()
    async with town.world.pool.acquire() as conn:
        between = await receipts.of_stay(conn, stay_id)
    assert verify(between).same
    assert between.settlement.state == "pending"
    await town.work()
    async with town.world.pool.acquire() as conn:
        corrected = await receipts.of_stay(conn, stay_id)
    assert verify(corrected).same
    said = corrected.settlement
    assert (said.gross_minor, said.paid_minor, said.refunded_minor) == (1_200, 3_600, 2_400)
    [stay] = await stays_of(town, car)
    assert stay["stay_id"] == to_text("stay", stay_id)
    assert [(one["reason"], one["from_minor"], one["to_minor"]) for one in stay["corrections"]] == [
        ("exit_arrived", 3_600, 1_200)
    ]
