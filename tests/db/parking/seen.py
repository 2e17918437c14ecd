"""Sightings in the scene of a lot: what gates saw without a code, and what was found out about it."""

from datetime import datetime, timedelta
from typing import Any

from parkflow.account import service as account_service
from parkflow.account.service import PlateKey
from parkflow.charge import service as charge_service
from parkflow.db.tx import tx
from parkflow.gate import service as gate_service
from parkflow.gate import sightings
from parkflow.gate import store as gate_store
from parkflow.gate.sightings import Sighting
from parkflow.kit.ids import bucket_of
from parkflow.ledger import service as ledger
from parkflow.parking import sightings as parking_sightings
from tests import seed
from tests.db.parking.conftest import Lot
from tests.street import Driver, StreetGate

PLATE = "粤B·12345"


async def account_of(lot: Lot, driver: Driver) -> int:
    async with lot.pool.acquire() as conn:
        account_id: int = await conn.fetchval(
            "select account_id from card where bucket = $1 and card_id = $2", bucket_of(driver.card_id), driver.card_id
        )
    return account_id


async def enter_plate(lot: Lot, driver: Driver, plate: str = PLATE) -> PlateKey:
    """The driver enters a plate in the app, at the clock's instant."""
    account_id, vault, now = await account_of(lot, driver), lot.services.vault, lot.clock.now()
    async with tx(lot.pool) as conn:
        await account_service.add_vehicle(conn, vault, account_id=account_id, plate=plate, vehicle_class="car", now=now)
        await sightings.plate_entered(conn, vault, plate=plate, now=now)
    return account_service.plate_key(vault, plate)


async def driver_with_plate(lot: Lot, plate: str = PLATE) -> Driver:
    driver = await lot.driver()
    await enter_plate(lot, driver, plate)
    return driver


async def sighting(
    lot: Lot, gate: StreetGate, at: datetime, text: str | None = PLATE, *, medium: str = "plate", by: str | None = None
) -> Sighting:
    """The next event of the gate's journal, as evidence and as a sighting that is not kept yet."""
    gate.last_seq += 1
    async with tx(lot.pool) as conn:
        known = await gate_service.get(conn, gate.gate_id)
        await conn.execute(
            "insert into gate_event (bucket, gate_id, epoch, seq, content_sha256, scanned_at, direction, medium,"
            " content, gate_verdict, verdict, received_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, '{}', 'accepted', 'accepted', $6)",
            known.bucket,
            known.gate_id,
            gate.epoch,
            gate.last_seq,
            bytes(32),
            at,
            gate.direction,
            medium,
        )
    return Sighting(known, gate.epoch, gate.last_seq, gate.direction, medium, text, by, at, None, None)


async def keep(lot: Lot, *seen: Sighting) -> None:
    """They are uploaded at the clock's instant, with all that the gates saw before."""
    now = lot.clock.now()
    async with tx(lot.pool) as conn:
        await sightings.keep(conn, lot.services.vault, seen, received_at=now)
        for one in seen:
            await gate_store.raise_watermark(
                conn, one.gate, epoch=one.epoch, acked_seq=one.seq, last_seq=one.seq, now=now
            )


async def sees(lot: Lot, gate: StreetGate, minute: int, text: str | None = PLATE, **other: Any) -> Sighting:
    """The gate sees it at that minute and uploads it at once."""
    lot.clock.move_to(max(lot.clock.now(), lot.at(minute)))
    one = await sighting(lot, gate, lot.at(minute), text, **other)
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
