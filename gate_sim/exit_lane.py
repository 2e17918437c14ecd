"""Cars at an exit as discrete events: who comes when, how long each takes at the barrier, how long all of them wait.

One file of cars, which divides only before the lanes: whoever is first takes the lane that is free. Times are whole
microseconds, so that sums are exact.
"""

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import simpy

from gate_sim.town import demo_day

SECOND_US: Final = 1_000_000
# The published comparison counts 60 s for a car that pays at the barrier, 5 s for one that has paid or need not.
PAYING_US: Final = 60 * SECOND_US
FREE_US: Final = 5 * SECOND_US
# Those 5 s as two parts (the division is ours), and what a driver with a code needs besides (ours).
BARRIER_US: Final = 2 * SECOND_US
DRIVE_OFF_US: Final = FREE_US - BARRIER_US
SHOW_PHONE_US: Final = 3 * SECOND_US
# Who leaves before the day's last second is moved by up to this much: a paid time's end is not yet a departure.
FOLDED_JITTER_US: Final = 60 * SECOND_US

PUBLISHED_PAYING_PERCENT: Final = 50
PUBLISHED_KIOSK_PAYING_PERCENT: Final = 20


@dataclass(frozen=True, slots=True)
class Way:
    """How an exit is run: who pays at the barrier (percent of the cars), and what a car takes that does not."""

    name: str
    title: str
    paying_percent: int
    other_us: int = FREE_US

    def services_us(self, cars: int, dice: random.Random) -> list[int]:
        """How long each car holds a lane. The shares are exact, their order is the dice's."""
        paying = (cars * self.paying_percent + 50) // 100
        services = [PAYING_US] * paying + [self.other_us] * (cars - paying)
        dice.shuffle(services)
        return services


@dataclass(frozen=True, slots=True)
class Car:
    """One car: when it comes to the end of the file, and how long it then holds a lane."""

    arrives_us: int
    service_us: int


@dataclass(frozen=True, slots=True)
class Passage:
    """What came of one car: it came, had a lane, and was gone."""

    arrived_us: int
    begun_us: int
    left_us: int

    @property
    def wait_us(self) -> int:
        """In the file, before it had a lane."""
        return self.begun_us - self.arrived_us


@dataclass(frozen=True, slots=True)
class Outcome:
    """All cars of one run."""

    passages: tuple[Passage, ...]

    @property
    def total_us(self) -> int:
        """From the first arrival until the last car is gone."""
        return max(one.left_us for one in self.passages) - min(one.arrived_us for one in self.passages)

    @property
    def wait_mean_us(self) -> int:
        """Rounded down to a whole microsecond."""
        return sum(one.wait_us for one in self.passages) // len(self.passages)

    @property
    def wait_p95_us(self) -> int:
        """The wait that 95 of 100 cars do not exceed (nearest rank)."""
        waits = sorted(one.wait_us for one in self.passages)
        return waits[(95 * len(waits) + 99) // 100 - 1]

    @property
    def longest(self) -> int:
        """The most cars that were there at once, those at the barrier included."""
        return max(cars for _, cars in self.lengths())

    def lengths(self) -> list[tuple[int, int]]:
        """When the number of cars that came and are not gone changes, and to what; one entry for each instant."""
        changes = [(one.arrived_us, 1) for one in self.passages] + [(one.left_us, -1) for one in self.passages]
        cars, steps = 0, dict[int, int]()
        for at_us, change in sorted(changes):
            cars += change
            steps[at_us] = cars
        return list(steps.items())


def manual(paying_percent: int = PUBLISHED_PAYING_PERCENT) -> Way:
    """Drivers pay at the barrier; some need not."""
    return Way("manual", "pay at the barrier", paying_percent)


def kiosk(paying_percent: int = PUBLISHED_KIOSK_PAYING_PERCENT) -> Way:
    """Most drivers have paid at a machine before they drive to the exit."""
    return Way("kiosk", "pay at a machine before", paying_percent)


def with_codes(decision_us: int, without_code_percent: int = 0) -> Way:
    """Drivers show a code and pay later; who has none pays at the barrier."""
    return Way("qr", "show a QR code", without_code_percent, code_us(decision_us))


def code_us(decision_us: int) -> int:
    """How long a car with a code holds the lane: the phone, the gate's decision, the barrier, and it is gone."""
    return SHOW_PHONE_US + decision_us + BARRIER_US + DRIVE_OFF_US


def at_once(cars: int) -> list[int]:
    """Everybody is there at the beginning: the published case."""
    return [0] * cars


def poisson(cars: int, per_hour: int, dice: random.Random) -> list[int]:
    """Cars that know nothing of each other, so many an hour on average."""
    arrivals, at_us = [], 0
    for _ in range(cars):
        at_us += round(dice.expovariate(per_hour) * 3_600 * SECOND_US)
        arrivals.append(at_us)
    return arrivals


def folded(cars: int, dice: random.Random) -> list[int]:
    """The last exits of the demo day, those of all its lots laid over one exit: real stays, never one real place.

    Everybody whose paid time ended with the day comes at that second. Raises ValueError beyond what the day has.
    """
    exits_us = sorted(int(stay.exit_at.timestamp()) * SECOND_US for stay in demo_day())
    if cars > len(exits_us):
        raise ValueError(f"the demo day has {len(exits_us)} exits, not {cars}")
    last_us = exits_us[-1]
    moved = [
        at_us if at_us == last_us else min(last_us - SECOND_US, at_us + dice.randrange(FOLDED_JITTER_US))
        for at_us in exits_us[-cars:]
    ]
    return sorted(at_us - min(moved) for at_us in moved)


def cars_of(arrivals_us: Sequence[int], way: Way, dice: random.Random) -> list[Car]:
    """Cars that come then, and leave that way."""
    services_us = way.services_us(len(arrivals_us), dice)
    return [Car(*times) for times in zip(arrivals_us, services_us, strict=True)]


def simulate(cars: Sequence[Car], lanes: int) -> Outcome:
    """Let the cars come, wait and leave; those that come at the same instant wait in the order given."""
    world = simpy.Environment()
    exits = simpy.Resource(world, capacity=lanes)
    passages: list[Passage] = []

    def drive(car: Car) -> Generator[simpy.Event, Any, None]:
        yield world.timeout(car.arrives_us)
        with exits.request() as lane:
            arrived_us = int(world.now)
            yield lane
            begun_us = int(world.now)
            yield world.timeout(car.service_us)
            passages.append(Passage(arrived_us, begun_us, int(world.now)))

    for car in cars:
        world.process(drive(car))
    world.run()
    return Outcome(tuple(passages))
