"""Sightings in the scene of a lot: what gates saw without a code, and what was found out about it."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from parkflow.charge import service as charge_service
from parkflow.db.tx import tx
from parkflow.kit.ids import bucket_of
from parkflow.ledger import service as ledger
from parkflow.parking import sightings as parking_sightings
from tests import seed
from tests.db.parking.conftest import Lot
from tests.street import Driver, Scan, StreetGate, results, upload

PLATE = "粤B·12345"


async def account_of(lot: Lot, driver: Driver) -> int:
    async with lot.pool.acquire() as conn:
        account_id: int = await conn.fetchval(
            "select account_id from card where bucket = $1 and card_id = $2", bucket_of(driver.card_id), driver.card_id
        )
    return account_id


async def enter_plate(lot: Lot, driver: Driver, plate: str = PLATE) -> None:
    """The driver enters a plate in the app, at the clock's instant."""
    async with tx(lot.pool) as conn:
        token = await seed.session(conn, await account_of(lot, driver), now=lot.clock.now())
    answer = await lot.client.post(
        "/v1/driver/vehicles",
        headers={"Authorization": f"Bearer {token}"},
        json={"plate": plate, "vehicle_class": "car"},
    )
    assert answer.status_code == 201, answer.text


async def driver_with_plate(lot: Lot, plate: str = PLATE) -> Driver:
    driver = await lot.driver()
    await enter_plate(lot, driver, plate)
    return driver


class Seen(NamedTuple):
    """An event in a gate's journal that is not uploaded yet."""

    gate: StreetGate
    scan: Scan


def sighting(
    gate: StreetGate, at: datetime, text: str | None = PLATE, *, medium: str = "plate", by: str | None = None
) -> Seen:
    """The next event of the gate's journal: a plate, a ticket, or a barrier raised by hand."""
    shown = {} if text is None else {medium: text}
    by_hand = {} if by is None else {"manual": True, "lifted_by": by}
    return Seen(gate, gate.scan(None, at, medium=medium, **shown, **by_hand))


async def keep(lot: Lot, *seen: Seen) -> None:
    """They are uploaded at the clock's instant."""
    for gate, scan in seen:
        answer = await upload(lot.client, gate, lot.clock.now(), scan)
        assert results(answer)[0] in ("accepted", "duplicate")


async def sees(lot: Lot, gate: StreetGate, minute: int, text: str | None = PLATE, **other: Any) -> Seen:
    """The gate sees it at that minute and uploads it at once."""
    lot.clock.move_to(max(lot.clock.now(), lot.at(minute)))
    one = sighting(gate, lot.at(minute), text, **other)
    await keep(lot, one)
    return one


async def match(lot: Lot, owner: str = seed.OWNER) -> int:
    async with tx(lot.pool) as conn:
        return await parking_sightings.match(conn, owner=owner, buckets=lot.buckets, now=lot.clock.now())


async def work(lot: Lot) -> None:
    """Match and apply until nothing is left to do, as a worker's passes do."""
    while await match(lot) or sum(await lot.apply()):
        pass


async def later(lot: Lot, minutes: int = 20) -> None:
    """Time passes in which every gate says that it has told all; then the worker works."""
    minute = (lot.clock.now() - lot.start) // timedelta(minutes=1) + minutes
    await lot.beat(lot.entry, lot.exit, minute=minute)
    await work(lot)


async def outcomes(lot: Lot) -> list[tuple[str, str | None, int | None]]:
    """(state, reason, card) of all sightings by time."""
    async with lot.pool.acquire() as conn:
        rows = await conn.fetch("select state, reason, card_id from sighting order by scanned_at, seq")
    return [(row["state"], row["reason"], row["card_id"]) for row in rows]


async def charges(lot: Lot) -> list[tuple[int, int]]:
    """(card, net) of every charge, after the worker raised what is to be raised."""

    async with tx(lot.pool) as conn:
        await ledger.ensure_open_day(conn, lot.operator_id, lot.clock.now())
        await charge_service.raise_for_priced(conn, lot.buckets, now=lot.clock.now(), deduct_delay_seconds=120)
        rows = await conn.fetch("select card_id, net_minor from charge where kind = 'stay' order by charge_id")
    return [(row["card_id"], row["net_minor"]) for row in rows]
