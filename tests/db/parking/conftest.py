"""A lot with a tariff whose gates have scanned real codes; scans are applied by a worker that holds all buckets."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

import httpx
import pytest

from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.parking import service as parking_service
from parkflow.parking.service import Applied
from parkflow.services import Services
from parkflow.tariff import service as tariff_service
from tests import seed
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock
from tests.street import Driver, Scan, StreetGate, beat, enrol, open_lot, results, upload

TARIFF = (resources.files("parkflow.tariff") / "library" / "us-charlottesville-2017.yaml").read_text("utf-8")


@dataclass
class Lot:
    """The scene of a test; minutes count from the clock's first instant, noon in Charlottesville."""

    client: httpx.AsyncClient
    services: Services
    clock: HeldClock
    start: datetime
    operator_id: int
    lot_id: int
    tariff_sha256: bytes
    buckets: list[int]
    entry: StreetGate
    exit: StreetGate

    @property
    def pool(self) -> Pool:
        return self.services.pool

    def at(self, minute: int) -> datetime:
        return self.start + timedelta(minutes=minute)

    async def driver(self) -> Driver:
        async with tx(self.pool) as conn:
            return await enrol(conn, self.services, self.operator_id, self.start)

    def goes_in(self, driver: Driver, minute: int) -> Scan:
        """The entry gate has it in its journal."""
        return self.entry.scan(driver.code(self.at(minute)), self.at(minute))

    def goes_out(self, driver: Driver, minute: int) -> Scan:
        """The exit gate has it in its journal."""
        return self.exit.scan(driver.code(self.at(minute)), self.at(minute))

    async def upload(self, *scans: Scan, minute: int) -> None:
        """The gates send these scans, each gate its own, at that minute."""
        self.clock.move_to(self.at(minute))
        for gate in (self.entry, self.exit):
            mine = [scan for scan in scans if scan["direction"] == gate.direction]
            if mine:
                assert set(results(await upload(self.client, gate, self.at(minute), *mine))) == {"accepted"}

    async def beat(self, *gates: StreetGate, minute: int) -> None:
        self.clock.move_to(self.at(minute))
        for gate in gates:
            assert (await beat(self.client, gate, self.at(minute))).status_code == 200

    async def apply(self) -> Applied:
        async with tx(self.pool) as conn:
            return await parking_service.apply(conn, owner=seed.OWNER, buckets=self.buckets, now=self.clock.now())

    async def stays(self) -> list[tuple[Any, ...]]:
        """(state, minute of entry, minute of exit, fee) of all stays by entry."""
        async with self.pool.acquire() as conn:
            rows = await conn.fetch("select state, entry_at, exit_at, fee_minor from stay order by entry_at, stay_id")
        return [
            (row["state"], self._minute(row["entry_at"]), self._minute(row["exit_at"]), row["fee_minor"])
            for row in rows
        ]

    async def scans(self) -> list[tuple[str, str | None]]:
        """(state, reason) of all scans by time."""
        async with self.pool.acquire() as conn:
            rows = await conn.fetch("select state, reason from scan order by scanned_at")
        return [(row["state"], row["reason"]) for row in rows]

    def _minute(self, at: datetime | None) -> int | None:
        return None if at is None else (at - self.start) // timedelta(minutes=1)


@pytest.fixture
async def lot(pool: Pool, clock: HeldClock) -> AsyncIterator[Lot]:
    services = services_over(pool, clock)
    now = clock.now()
    async with tx(pool) as conn:
        operator_id = await seed.operator(conn, services.vault)
        await seed.channel(conn, services.vault)
        lot_id, gates = await open_lot(conn, operator_id, "market-st", now)
        version = await tariff_service.publish(conn, operator_id=operator_id, source=TARIFF, now=now)
        await tariff_service.assign(
            conn, operator_id=operator_id, lot_id=lot_id, sha256=version.sha256, valid_from=now, now=now
        )
        buckets = await seed.leases(conn, clock.wall())
    async with client_of(services) as client:
        yield Lot(client, services, clock, now, operator_id, lot_id, version.sha256, buckets, *gates)
