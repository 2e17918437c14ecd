"""The demo on paper: which days, which drivers in which role, when each thing happens. Pure; the seed decides."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from gate_sim.scenario import Trouble, choose_trouble
from gate_sim.seed import Seed
from gate_sim.town import RealStay, TableInvalid, drivers_of, later, lots_of

TIME_ZONE: Final = "America/New_York"
CURRENCY: Final = "USD"
DEPOSIT_MINOR: Final = 2_000
TARIFF: Final = "us-charlottesville-2017.yaml"
# Enough for a year of parking, so that only the channel's plan decides.
AMPLE_MINOR: Final = 1_000_000
PAYDAY_MINOR: Final = 10_000
_STAYS_MIN: Final = 30


class Role(StrEnum):
    """What kind of driver someone is in the story; most are ordinary."""

    ORDINARY = "ordinary"  # money enough; the channel's seeded plan decides how each order goes
    EMPTY = "empty"  # money for the deposit only: arrears until the end
    PAYDAY = "payday"  # the same, but gets money in the morning, before the retry
    REPAYER = "repayer"  # the same, but tops up and repays in the app
    LATE = "late"  # returns the card while an exit scan is still in a gate without a line; cannot pay it
    LEAVER = "leaver"  # returns the card with nothing owed
    LEAVER_IN_ARREARS = "leaver_in_arrears"
    NO_ANSWER_BEFORE = "no_answer_before"  # the deduct times out before it had an effect
    NO_ANSWER_AFTER = "no_answer_after"  # the deduct times out after it had its effect
    ERROR_AFTER = "error_after"  # the channel answers 500 after the effect
    PENDING = "pending"  # the channel takes the order and decides later


_PLANS: Final[Mapping[Role, list[str]]] = {
    # The first order of a wallet is the deposit.
    Role.NO_ANSWER_BEFORE: ["ok", "timeout_before"],
    Role.NO_ANSWER_AFTER: ["ok", "timeout_after"],
    Role.ERROR_AFTER: ["ok", "error_after"],
    Role.PENDING: ["ok", "pending"],
    # These must not be surprised by the seeded plan: their story is told.
    Role.LEAVER: ["ok", "ok"],
    Role.PAYDAY: ["ok", "ok", "ok"],
    Role.REPAYER: ["ok", "ok", "ok", "ok", "ok"],
}
_POOR: Final = frozenset({Role.EMPTY, Role.PAYDAY, Role.REPAYER, Role.LATE, Role.LEAVER_IN_ARREARS})


@dataclass(frozen=True, slots=True)
class Wallet:
    """What a driver's wallet holds at the start and how the channel answers its first orders."""

    funds_minor: int
    plan: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before the first process starts."""

    seed: Seed
    days: Sequence[Sequence[RealStay]]
    lots: Sequence[str]
    roles: Mapping[str, Role]
    trouble: Trouble

    @property
    def first_day(self) -> datetime:
        """Midnight, local, of the first day."""
        return self.at(0, time(0))

    def at(self, day: int, clock_time: time) -> datetime:
        """The local `clock_time` of the `day`-th day of the demo (the first is 0)."""
        zone = ZoneInfo(TIME_ZONE)
        date = self.days[0][0].entry_at.astimezone(zone).date() + timedelta(days=day)
        return datetime.combine(date, clock_time, zone)

    @property
    def stays(self) -> list[RealStay]:
        """All stays of all days."""
        return [stay for day in self.days for stay in day]

    def drivers_in(self, *roles: Role) -> list[str]:
        """The names of the drivers with one of `roles`, sorted."""
        return sorted(driver for driver, role in self.roles.items() if role in roles)

    def wallet_of(self, driver: str) -> Wallet:
        """The wallet that a driver starts with."""
        role = self.roles[driver]
        return Wallet(DEPOSIT_MINOR if role in _POOR else AMPLE_MINOR, list(_PLANS.get(role, [])))


def make_plan(day: Sequence[RealStay], *, seed: int, stays: int | None = None) -> Plan:
    """The demo of `day`, repeated on the following dates until `stays` are reached, or its first `stays`.

    Raises TableInvalid when the day is too small for its story.
    """
    wanted = len(day) if stays is None else stays
    first = list(day[:wanted])
    if len(lots_of(first)) < 2 or len(first) < _STAYS_MIN:
        raise TableInvalid(f"the demo needs at least {_STAYS_MIN} stays in 2 lots, this day has {len(first)}")
    days = [later(first, number) for number in range(math.ceil(wanted / len(first)))]
    days[0] = first
    days[-1] = days[-1][: wanted - len(first) * (len(days) - 1)]
    trouble = choose_trouble(first)
    return Plan(Seed(seed), days, lots_of(first), _cast(first, trouble, Seed(seed)), trouble)


def _cast(stays: Sequence[RealStay], trouble: Trouble, seed: Seed) -> dict[str, Role]:
    """Who plays what. Only drivers with a single stay that nothing else happens to get a part."""
    counts: dict[str, int] = {}
    for stay in stays:
        counts[stay.driver] = counts.get(stay.driver, 0) + 1
    roles = dict.fromkeys(drivers_of(stays), Role.ORDINARY)
    roles[trouble.late_stay.driver] = Role.LATE
    busy = {trouble.late_stay.driver, trouble.screenshot.taken.driver, *_silent_drivers(stays, trouble)}
    free = [driver for driver in drivers_of(stays) if counts[driver] == 1 and driver not in busy]
    seed.dice("cast").shuffle(free)
    for role, share in _parts(len(stays)):
        for driver in free[:share]:
            roles[driver] = role
        free = free[share:]
    return roles


def _parts(stays: int) -> list[tuple[Role, int]]:
    """How many play each part: at least one, more on a larger day."""
    return [
        (Role.REPAYER, 1),
        (Role.LEAVER, 1),
        (Role.LEAVER_IN_ARREARS, 1),
        (Role.NO_ANSWER_BEFORE, 1),
        (Role.NO_ANSWER_AFTER, 1),
        (Role.ERROR_AFTER, 1),
        (Role.PENDING, 1),
        (Role.EMPTY, 1 + stays // 60),
        (Role.PAYDAY, 1 + stays // 120),
    ]


def _silent_drivers(stays: Sequence[RealStay], trouble: Trouble) -> set[str]:
    """Those whose exit also stays in the late gate's journal overnight."""
    return {
        stay.driver
        for stay in stays
        if stay.lot == trouble.late_gate[0] and int(stay.exit_at.timestamp()) * 1000 >= trouble.late_from_ms
    }
