"""A lot with an entry and an exit gate, and the API in front of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import httpx
import pytest

from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.gate import service as gate_service
from parkflow.gate.state import GateState
from parkflow.services import Services
from tests import seed
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock
from tests.street import Driver, StreetGate, enrol, open_lot, upload


@dataclass
class Street:
    """The scene of a test."""

    client: httpx.AsyncClient
    services: Services
    clock: HeldClock
    operator_id: int
    lot_id: int
    entry: StreetGate
    exit: StreetGate

    @property
    def pool(self) -> Pool:
        return self.services.pool

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def driver(self) -> Driver:
        """A new driver with a credential."""
        async with tx(self.pool) as conn:
            return await enrol(conn, self.services, self.operator_id, self.now)

    async def pass_entry(self, driver: Driver) -> httpx.Response:
        """The driver shows a code at the entry now, and the gate uploads it."""
        return await upload(self.client, self.entry, self.now, self.entry.scan(driver.code(self.now), self.now))

    async def quarantine_reason(self, gate: StreetGate) -> str | None:
        """Why the gate is in quarantine; None when it is not."""
        async with self.pool.acquire() as conn:
            if (await gate_service.get(conn, gate.gate_id)).state is GateState.ACTIVE:
                return None
            reason: str = await conn.fetchval(
                "select reason from state_change where machine = 'gate' and subject_id = $1 order by at desc limit 1",
                gate.gate_id,
            )
        return reason

    async def count(self, table: str) -> int:
        """How many rows the table has."""
        async with self.pool.acquire() as conn:
            found: int = await conn.fetchval(f"select count(*) from {table}")
        return found


@pytest.fixture
async def street(pool: Pool, clock: HeldClock) -> AsyncIterator[Street]:
    services = services_over(pool, clock)
    async with tx(pool) as conn:
        operator_id = await seed.operator(conn, services.vault)
        await seed.channel(conn, services.vault)
        lot_id, gates = await open_lot(conn, operator_id, "market-st", clock.now())
    async with client_of(services) as client:
        yield Street(client, services, clock, operator_id, lot_id, *gates)
