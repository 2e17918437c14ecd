"""However scans arrive, with work and payments between, stays and wallets end as if all had come in order."""

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from parkflow.gate.unpaired import PairedScan
from parkflow.lot.rules import MissingEntry, MissingExit
from parkflow.parking.rules import Terms
from parkflow.parking.state import StayState
from tests.day_world import Driver
from tests.pairing_book import FOREVER, scan, whole
from tests.repair_town import RepairTown

CARS = 12
STEPS = 5


@dataclass
class Car:
    """What was seen of a car, and what of it has not arrived yet."""

    driver: Driver
    seen: list[PairedScan]
    seqs: dict[int, int] = field(default_factory=dict)
    left: list[PairedScan] = field(default_factory=list)


def journal(rng: random.Random, town: RepairTown, gates: dict[str, int]) -> list[PairedScan]:
    """Comings and goings, now and then not seen or seen twice."""
    minute, seen = 0.0, list[PairedScan]()
    for _ in range(rng.randint(1, 3)):
        for direction in ("entry", "exit"):
            minute += rng.choice([1.5, 4, 11])
            if rng.random() < 0.2:
                continue
            for later in (0.0, 0.5) if rng.random() < 0.2 else (0.0,):
                minute += later
                seen.append(scan(gates[direction], len(seen) + 1, town.at(minute), direction))
    return seen


async def arrive(town: RepairTown, car: Car, one: PairedScan) -> None:
    minute = (one.scanned_at - town.start).total_seconds() / 60
    seq = await town.seen(car.driver, one.direction, minute, seq=car.seqs.get(one.key.seq))
    car.seqs[one.key.seq] = seq


async def some_arrive(rng: random.Random, town: RepairTown, car: Car, *, everything: bool) -> None:
    count = len(car.left) if everything else min(rng.randint(0, 2), len(car.left))
    for _ in range(count):
        await arrive(town, car, car.left.pop())
    if car.seqs and rng.random() < 0.3:
        await arrive(town, car, rng.choice([one for one in car.seen if one.key.seq in car.seqs]))


async def some_work(rng: random.Random, town: RepairTown) -> None:
    if rng.random() < 0.6:
        town.world.advance(hours=49)
        await town.world.gate_told(town.world.now)
    await town.apply()
    for step in (town.give_up, town.charge, town.adjust, town.pay):
        if rng.random() < 0.7:
            await step()


@pytest.mark.parametrize(
    ("seed", "leaving", "entry"),
    [
        (1, MissingExit.ABANDON, MissingEntry.REJECT),
        (2, MissingExit.NEXT_ENTRY, MissingEntry.MAXIMUM),
        (3, MissingExit.MAXIMUM, MissingEntry.MAXIMUM),
    ],
)
async def test_any_arrival_ends_in_the_same_stays_and_wallets(
    town: RepairTown, seed: int, leaving: MissingExit, entry: MissingEntry
) -> None:
    rng = random.Random(seed)
    await town.policy(missing_exit=leaving, missing_entry=entry, missing_minutes=7)
    gates = {"entry": town.world.gate_id, "exit": town.world.gate_id}
    cars = []
    for number in range(CARS):
        car = Car(await town.driver(f"car{number}"), journal(rng, town, gates))
        car.left = rng.sample(car.seen, len(car.seen))
        cars.append(car)
    for step in range(STEPS):
        for car in cars:
            await some_arrive(rng, town, car, everything=step == STEPS - 1)
        await some_work(rng, town)
    town.world.advance(hours=49)
    await town.world.gate_told(town.world.now)
    for _ in range(3):
        await town.work()
        await town.give_up()
    terms = replace(
        Terms(exits_complete_to=FOREVER, given_up_before=FOREVER),
        missing_exit=leaving,
        missing_entry=entry,
        missing_lasts=timedelta(minutes=7),
    )
    for car in cars:
        await expect_as_in_order(town, car, terms)


async def expect_as_in_order(town: RepairTown, car: Car, terms: Terms) -> None:
    # Events have other numbers in the database, in the order of arrival; only ties would be decided by them.
    told = whole(car.seen, terms).told()
    ends = {(town.start, at, out, "priced" if state is StayState.CLOSED else str(state)) for at, out, state, _ in told}
    assert {
        (town.start, town.at(begin), None if end is None else town.at(end), state)
        for state, begin, end, _ in await town.stays(car.driver)
    } == ends
    fees = sum(int((out - at).total_seconds()) for at, out, state, _ in told if out is not None)
    assert await town.spent(car.driver) == fees
