"""A lot whose scans are put straight into the database, with real drivers' wallets: what late scans do to money."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from parkflow.adjustment import service as adjustments
from parkflow.charge import service as charges
from parkflow.db.conn import Conn
from parkflow.db.tx import tx
from parkflow.kit.ids import bucket_of
from parkflow.parking import service as parking
from parkflow.parking.service import Applied
from parkflow.tariff import service as tariffs
from tests.day_world import OWNER, Driver, World

# The gate of the world stands at a lane that leads both ways.
EPOCH = 1


@dataclass
class RepairTown:
    """The scene; minutes count from `start`, and a stay costs a cent a second."""

    world: World
    start: datetime
    last_seq: int = 0

    def at(self, minute: float) -> datetime:
        return self.start + timedelta(minutes=minute)

    async def driver(self, name: str) -> Driver:
        return await self.world.driver(name, 1_000_000)

    async def policy(self, **fields: object) -> None:
        """The lot's policy, fields that are not given as by default."""
        async with tx(self.world.pool) as conn:
            await conn.execute("update lot set policy = $1", fields)

    async def seen(
        self,
        driver: Driver,
        direction: str,
        minute: float,
        *,
        doubt: tuple[float, float] | None = None,
        medium: str = "code",
        seq: int | None = None,
        gate_id: int | None = None,
    ) -> int:
        """A scan arrives now; again with its seq changes nothing. Returns the seq."""
        if seq is None:
            self.last_seq += 1
            seq = self.last_seq
        earliest, latest = (self.at(doubt[0]), self.at(doubt[1])) if doubt else (None, None)
        async with tx(self.world.pool) as conn:
            await conn.execute(
                "insert into scan (bucket, gate_id, epoch, seq, card_id, operator_id, lot_id, direction, scanned_at,"
                " code_id, serial, state, received_at, medium, earliest_at, latest_at)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, 'received', $11, $12, $13, $14)"
                " on conflict do nothing",
                bucket_of(driver.card_id),
                gate_id or self.world.gate_id,
                EPOCH,
                seq,
                driver.card_id,
                self.world.operator_id,
                self.world.lot_id,
                direction,
                self.at(minute),
                secrets.token_bytes(16),
                self.world.now,
                medium,
                earliest,
                latest,
            )
            await self._event(conn, gate_id or self.world.gate_id, seq, minute, direction, medium)
            if medium == "plate":
                await self._sighting(conn, driver, gate_id or self.world.gate_id, seq, minute, direction)
        return seq

    async def _sighting(
        self, conn: Conn, driver: Driver, gate_id: int, seq: int, minute: float, direction: str
    ) -> None:
        """What a scan by plate was before it was known whose it is."""
        await conn.execute(
            "insert into sighting (bucket, gate_id, epoch, seq, sighting_id, operator_id, lot_id, direction, medium,"
            " seen_sealed, scanned_at, received_at, state, reason, card_id, decided_at, decided_by)"
            " values ($1, $2, $3, $4, $4, $5, $6, $7, 'plate', 'sealed', $8, $9, 'matched', 'test', $10, $9, 'rule')"
            " on conflict do nothing",
            bucket_of(gate_id),
            gate_id,
            EPOCH,
            seq,
            self.world.operator_id,
            self.world.lot_id,
            direction,
            self.at(minute),
            self.world.now,
            driver.card_id,
        )

    async def _event(self, conn: Conn, gate_id: int, seq: int, minute: float, direction: str, medium: str) -> None:
        """The evidence of the scan."""
        await conn.execute(
            "insert into gate_event (bucket, gate_id, epoch, seq, content_sha256, scanned_at, direction, medium,"
            " content, gate_verdict, verdict, received_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, '{}', 'accepted', 'accepted', $9) on conflict do nothing",
            bucket_of(gate_id),
            gate_id,
            EPOCH,
            seq,
            bytes(32),
            self.at(minute),
            direction,
            medium,
            self.world.now,
        )

    async def apply(self) -> Applied:
        async with tx(self.world.pool) as conn:
            return await parking.apply(conn, owner=OWNER, buckets=list(range(1024)), now=self.world.now)

    async def give_up(self) -> int:
        async with tx(self.world.pool) as conn:
            return await parking.give_up(conn, owner=OWNER, buckets=list(range(1024)), now=self.world.now)

    async def charge(self) -> int:
        async with tx(self.world.pool) as conn:
            return await charges.raise_for_priced(conn, list(range(1024)), now=self.world.now, deduct_delay_seconds=0)

    async def adjust(self) -> int:
        async with tx(self.world.pool) as conn:
            return await adjustments.adjust(
                conn,
                owner=OWNER,
                buckets=list(range(1024)),
                settings=self.world.services.settings,
                now=self.world.now,
            )

    async def pay(self) -> None:
        """The deduct delay passes, and all that is due is taken or given back."""
        self.world.advance(minutes=3)
        await self.world.settle()

    async def work(self) -> None:
        """Everything that is due now, money included."""
        while sum(await self.apply()):
            pass
        await self.charge()
        await self.adjust()
        await self.pay()

    async def stays(self, driver: Driver) -> list[tuple[str, float, float | None, int | None]]:
        """(state, minute of entry, minute of exit, fee) by entry; void ones are none."""
        async with self.world.pool.acquire() as conn:
            rows = await conn.fetch(
                "select state, entry_at, exit_at, fee_minor from stay where card_id = $1 and state <> 'void'"
                " order by entry_at, stay_id",
                driver.card_id,
            )
        return [
            (row["state"], self._minute(row["entry_at"]) or 0, self._minute(row["exit_at"]), row["fee_minor"])
            for row in rows
        ]

    async def marks(self, driver: Driver) -> list[list[str]]:
        """The marks of each stay by entry."""
        async with self.world.pool.acquire() as conn:
            rows = await conn.fetch(
                "select marks from stay where card_id = $1 and state <> 'void' order by entry_at", driver.card_id
            )
        return [sorted(row["marks"]) for row in rows]

    async def corrections(self, driver: Driver) -> list[str]:
        """Why stays of the driver were corrected, in order."""
        async with self.world.pool.acquire() as conn:
            rows = await conn.fetch(
                "select c.reason from stay_correction c join stay s using (bucket, stay_id) where s.card_id = $1"
                " order by c.corrected_at, s.entry_at, c.number",
                driver.card_id,
            )
        return [row["reason"] for row in rows]

    async def moves(self, driver: Driver) -> list[tuple[int, int, int, int, int]]:
        """(from, to, waived, raised, refunded) of each adjustment."""
        async with self.world.pool.acquire() as conn:
            rows = await conn.fetch(
                "select from_minor, to_minor, waived_minor, raised_minor, refunded_minor from adjustment"
                " where card_id = $1 order by adjusted_at, stay_id, number",
                driver.card_id,
            )
        return [tuple(row.values()) for row in rows]

    async def spent(self, driver: Driver) -> int:
        """What is gone from the wallet, the deposit apart."""
        return 1_000_000 - await self.world.funds(driver)

    def _minute(self, at: datetime | None) -> float | None:
        return None if at is None else (at - self.start).total_seconds() / 60


async def furnish(world: World) -> RepairTown:
    """The world's lot with its tariff from long ago on."""
    start = world.now
    async with tx(world.pool) as conn:
        await tariffs.assign(
            conn,
            operator_id=world.operator_id,
            lot_id=world.lot_id,
            sha256=world.tariff_sha256,
            valid_from=start - timedelta(days=30),
            now=start,
        )
    # A gate saw nothing before it was registered.
    await world.gate_told(start)
    return RepairTown(world, start)
