"""The drivers of the demo: each signs up over HTTP with a phone, a wallet and an agreement, many at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gate_sim.api import ApiRefusal
from gate_sim.driver import Driver, Offices, Person
from gate_sim.phone import Phone
from parkflow.demo.mailbox import Mailbox
from parkflow.demo.plan import Plan

AT_ONCE = 12
T = TypeVar("T")


@dataclass(slots=True)
class People:
    """The drivers by name, and those who get no credential because they owe money."""

    drivers: dict[str, Driver]
    refused: set[str] = field(default_factory=set)
    refusals: int = 0


def invite(plan: Plan, offices: Offices) -> People:
    """The drivers of the plan, not signed up yet. Phone numbers are of the exchange 555."""
    drivers = {}
    for number, name in enumerate(sorted(plan.roles)):
        plate = None if name.startswith("bay-") else name.upper()
        person = Person(name, f"+1434555{number:04d}", plate, f"wallet-{name}")
        drivers[name] = Driver(person, Phone(plan.seed, name), offices)
    return People(drivers)


async def sign_up(people: People, plan: Plan, mailbox: Mailbox, *, done: Callable[[], None]) -> None:
    """Everyone opens a wallet, signs in, signs the agreement, pays the deposit and enrols the phone."""

    async def one(driver: Driver) -> None:
        wallet = plan.wallet_of(driver.person.name)
        await driver.open_wallet(funds_minor=wallet.funds_minor, plan=wallet.plan)
        await driver.sign_in(mailbox.read_one_time_code)
        await driver.join()
        done()

    await each(people.drivers.values(), one)


async def get_credentials(people: People, names: Iterable[str], *, now_s: int) -> None:
    """Everyone named asks for a credential; who owes money is refused and noted."""

    async def one(driver: Driver) -> None:
        name = driver.person.name
        try:
            await driver.get_credential(now_s)
        except ApiRefusal as refusal:
            if refusal.code != "card_in_arrears":
                raise
            people.refusals += 1
            people.refused.add(name)
        else:
            people.refused.discard(name)

    await each([people.drivers[name] for name in sorted(names)], one)


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do `work` for every item, AT_ONCE at a time; the first failure ends it all."""
    waiting: Sequence[T] = list(items)
    turn = iter(waiting)

    async def hand() -> None:
        for item in turn:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(waiting))):
                group.create_task(hand())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
