"""Operators with gates and a driver, and the service as a process of its own in front of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from parkflow.db.conn import Pool
from parkflow.db.pool import open_pool
from parkflow.db.tx import tx
from parkflow.kit.clock import SystemClock
from parkflow.services import Services
from tests import seed
from tests.edge import services_over
from tests.gate_log import GateLog
from tests.serve_process import Service
from tests.street import Driver, enrol, open_lot

GATES = 4


@dataclass
class Town:
    """One operator's lot in the real present."""

    services: Services
    operator_id: int
    lot_id: int
    driver: Driver
    logs: list[GateLog]

    @property
    def pool(self) -> Pool:
        return self.services.pool

    @property
    def now(self) -> datetime:
        return self.services.clock.now()

    def see(self, log: GateLog, count: int) -> None:
        """So many cars pass the gate within the last seconds."""
        now = datetime.now(UTC)
        for back in range(count, 0, -1):
            log.see(self.driver, now - timedelta(milliseconds=10 * back))


async def open_town(services: Services, *, name: str = "City Parking", gates: int = GATES) -> Town:
    """An operator, its lot with so many entry gates, and a driver whose credential is some minutes old."""
    since = datetime.now(UTC) - timedelta(minutes=10)
    async with tx(services.pool) as conn:
        operator_id = await seed.operator(conn, services.vault, name=name)
        await seed.channel(conn, services.vault)
        lot_id, _ = await open_lot(conn, operator_id, "market-st", since, [])
        driver = await enrol(conn, services, operator_id, since)
        logs = []
        for number in range(gates):
            _, [gate] = await open_lot(conn, operator_id, f"lot-{number}", since, ["entry"])
            logs.append(GateLog(gate))
    return Town(services, operator_id, lot_id, driver, logs)


async def open_town_at(dsn: str, *, name: str = "City Parking") -> Town:
    """The same from another loop; the town's services cannot be used afterwards."""
    async with open_pool(dsn) as pool:
        return await open_town(services_over(pool, SystemClock()), name=name)


@pytest.fixture
async def town(pool: Pool) -> Town:
    return await open_town(services_over(pool, SystemClock()))


@pytest.fixture
def service(dsn: str, tmp_path: Path) -> Iterator[Service]:
    """The service over this test's database, not started yet."""
    with Service(dsn, tmp_path) as process:
        yield process
