"""A small town on the test's database, with a real simulated channel: drivers with wallets, priced stays and time."""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from gate_sim.channel.book import Book
from gate_sim.channel.clock import SetTime
from gate_sim.channel.desk import Desk
from gate_sim.channel.plan import Plan
from gate_sim.channel.server import serving
from parkflow import core
from parkflow.card import service as cards
from parkflow.channel.service import Channels
from parkflow.channel.simulated import SimulatedChannel
from parkflow.charge import deduct, pay, query
from parkflow.charge import service as charges
from parkflow.charge.service import NewCharge
from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import tx
from parkflow.jobs.lease import Leases
from parkflow.kit.ids import bucket_of, new_id
from parkflow.ledger import service as ledger
from parkflow.refund import service as refunds
from parkflow.services import Services
from parkflow.tariff import service as tariffs
from tests import seed
from tests.edge import services_over
from tests.held_clock import HeldClock

SECRET = bytes(32)
# What the channel does to orders and refunds without a plan of their own follows from it.
CHANNEL_SEED: Final = 7
OWNER = "test:worker"
# A cent a second: a fee is chosen by how long a stay lasts.
TARIFF = """
ptl: 1
id: test
currency: USD
minor_exponent: 2
timezone: America/New_York
plans:
  - id: meter
    cycle: stay
    edge: split
    bands:
      - id: all
        ladder: [{unit: 1s, price: 1}]
"""


class Driver(NamedTuple):
    """Someone with a funded card."""

    account_id: int
    card_id: int
    wallet: str


@dataclass
class World:
    """Everything a test needs to make money move, without gates."""

    services: Services
    clock: HeldClock
    operator_id: int
    lot_id: int
    gate_id: int
    tariff_sha256: bytes
    people: httpx.AsyncClient
    channel_time: SetTime
    leases: Leases

    @property
    def pool(self) -> Pool:
        return self.services.pool

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def advance(self, **duration: int) -> datetime:
        """Business time goes on, also at the channel."""
        now = self.clock.advance(**duration)
        self.channel_time.at_ms = int(now.timestamp() * 1000)
        return now

    async def driver(self, wallet: str, funds_minor: int, *plan: Plan) -> Driver:
        """A driver whose deposit is paid out of the wallet; `plan` is for the orders after it."""
        # Without a plan of its own the channel makes up its faults from its seed.
        orders = [Plan.OK, *plan, *[Plan.OK] * 20]
        body = {"wallet": wallet, "funds_minor": funds_minor + seed.DEPOSIT_MINOR, "plan": orders}
        await self.people.post("/v1/wallets", json=body)
        ref = await self._confirmed_agreement(wallet)
        async with tx(self.pool) as conn:
            phone = f"+1434{zlib.crc32(wallet.encode()) % 10**7:07d}"
            account_id = await seed.account(conn, self.services.vault, phone=phone)
            agreement_id = await seed.agreement(conn, account_id)
            await conn.execute("update agreement set channel_ref = $1 where agreement_id = $2", ref, agreement_id)
            card_id = await seed.card(
                conn,
                account_id=account_id,
                operator_id=self.operator_id,
                agreement_id=agreement_id,
                state="issued",
            )
        await self._pay_deposit(card_id)
        return Driver(account_id, card_id, wallet)

    async def _confirmed_agreement(self, wallet: str) -> str:
        channel = self.services.channels[seed.CHANNEL]
        external_no = f"ext{wallet}"
        url = await channel.sign_agreement(external_no=external_no, user_ref=wallet, scene="parking", return_url="")
        await self.people.post(url, json={"wallet": wallet})
        ref = (await channel.query_agreement(external_no)).ref
        assert ref is not None
        return ref

    async def _pay_deposit(self, card_id: int) -> None:
        bucket = bucket_of(card_id)
        deposit = NewCharge(
            bucket=bucket,
            charge_id=card_id,
            kind="deposit",
            card_id=card_id,
            operator_id=self.operator_id,
            lot_id=None,
            gross_minor=seed.DEPOSIT_MINOR,
            discount_minor=0,
            currency="USD",
            occurred_at=self.now,
        )
        async with tx(self.pool) as conn:
            await charges.raise_charges(conn, [deposit], now=self.now)
        await pay.pay_now(self.services, bucket=bucket, charge_ids=[card_id], purpose="deposit", now=self.now)
        assert await self.card_state(card_id) == "active"

    async def park(self, card_id: int, fee_minor: int) -> int:
        """A stay that has just ended and is priced; its charge is due now. Returns its id."""
        self.advance(seconds=fee_minor + 60)
        stay_id = new_id(bucket_of(card_id))
        async with tx(self.pool) as conn:
            await conn.execute(
                "insert into stay (bucket, stay_id, card_id, operator_id, lot_id, vehicle_class, entry_gate_id,"
                " entry_epoch, entry_seq, entry_at, exit_gate_id, exit_epoch, exit_seq, exit_at, state, tariff_sha256,"
                " fee_minor, currency, fee_lines, priced_at, created_at)"
                " values ($1, $2, $3, $4, $5, 'car', $6, 1, $10, $7, $6, 2, $10, $8, 'priced', $11, $9, 'USD', '[]',"
                " $8, $8)",
                bucket_of(stay_id),
                stay_id,
                card_id,
                self.operator_id,
                self.lot_id,
                self.gate_id,
                self.now - timedelta(seconds=fee_minor),
                self.now,
                fee_minor,
                stay_id % 10**9,
                self.tariff_sha256,
            )
            await charges.raise_for_priced(conn, [bucket_of(stay_id)], now=self.now, deduct_delay_seconds=0)
        return stay_id

    async def settle(self) -> None:
        """Deducts, queries and refunds until nothing is due now."""
        done = 1
        while done:
            await self.hold_leases()
            buckets = self.leases.buckets
            done = await deduct.run(self.services, owner=OWNER, buckets=buckets, now=self.now)
            done += await query.run(self.services, owner=OWNER, buckets=buckets, now=self.now)
            done += await refunds.run(self.services, owner=OWNER, buckets=buckets, now=self.now)

    async def hold_leases(self) -> None:
        async with tx(self.pool) as conn:
            await self.leases.renew(conn, self.clock.wall())
            await self.leases.acquire(conn, self.clock.wall())

    async def top_up(self, driver: Driver, amount_minor: int) -> None:
        await self.people.post(f"/v1/wallets/{driver.wallet}/top-up", json={"amount_minor": amount_minor})

    async def funds(self, driver: Driver) -> int:
        return int((await self.people.get(f"/v1/wallets/{driver.wallet}")).json()["funds_minor"])

    async def gate_told(self, instant: datetime) -> None:
        """The gate has uploaded all that it saw until then."""
        async with tx(self.pool) as conn:
            await conn.execute(
                "insert into gate_watermark (bucket, gate_id, epoch, acked_seq, complete_to, heartbeat_at)"
                " values ($1, $2, 1, 0, $3, $3) on conflict (bucket, gate_id, epoch) do update set complete_to = $3",
                bucket_of(self.gate_id),
                self.gate_id,
                instant,
            )

    async def card_state(self, card_id: int) -> str:
        async with self.pool.acquire() as conn:
            return (await cards.many(conn, [card_id]))[card_id].state

    async def value(self, query_text: str, *args: object) -> object:
        """One value from the database."""
        async with self.pool.acquire() as conn:
            return await conn.fetchval(query_text, *args)


@asynccontextmanager
async def day_world(pool: Pool, clock: HeldClock, folder: Path) -> AsyncIterator[World]:
    """The town for the time of the block."""
    at = SetTime(int(clock.now().timestamp() * 1000))
    book = Book(folder / "book.sqlite")
    async with (
        serving(Desk(book, at, seed=CHANNEL_SEED, secret=SECRET)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as people,
    ):
        address = f"http://127.0.0.1:{port}"
        channel = SimulatedChannel(
            name=seed.CHANNEL,
            base_url=address,
            secret=SECRET,
            bill_time_zone="America/New_York",
            clock=clock,
            # Longer than any answer takes on a machine that compiles meanwhile; one test waits for it to pass.
            timeout_seconds=6,
        )
        services = replace(services_over(pool, clock), channels=Channels({seed.CHANNEL: channel}))
        async with tx(pool) as conn:
            operator_id, lot_id, gate_id, tariff_sha256 = await _place(conn, services, address, clock.now())
        leases = Leases(OWNER, timedelta(minutes=5))
        world = World(services, clock, operator_id, lot_id, gate_id, tariff_sha256, people, at, leases)
        await world.hold_leases()
        yield world
        await channel.aclose()
    book.close()


async def _place(conn: Conn, services: Services, address: str, now: datetime) -> tuple[int, int, int, bytes]:
    operator_id = await seed.operator(conn, services.vault)
    await seed.channel(conn, services.vault, base_url=address)
    await ledger.ensure_open_day(conn, operator_id, now)
    bucket = bucket_of(operator_id)
    lot_id, lane_id, gate_id = (new_id(bucket) for _ in range(3))
    await conn.execute(
        "insert into lot (lot_id, operator_id, reference, name, time_zone, created_at)"
        " values ($1, $2, 'market', 'Market Street', 'America/New_York', $3)",
        lot_id,
        operator_id,
        seed.NOW,
    )
    await conn.execute(
        "insert into lane (lane_id, lot_id, reference, direction, created_at) values ($1, $2, 'a', 'both', $3)",
        lane_id,
        lot_id,
        seed.NOW,
    )
    await conn.execute(
        "insert into gate (gate_id, operator_id, lot_id, lane_id, public_key, state, created_at)"
        " values ($1, $2, $3, $4, $5, 'active', $6)",
        gate_id,
        operator_id,
        lot_id,
        lane_id,
        core.public_key(bytes(31) + b"\1"),
        seed.NOW,
    )
    await conn.execute(
        "insert into lot_channel (lot_id, channel, state, updated_at) values ($1, $2, 'live', $3)",
        lot_id,
        seed.CHANNEL,
        seed.NOW,
    )
    tariff = await tariffs.publish(conn, operator_id=operator_id, source=TARIFF, now=now)
    return operator_id, lot_id, gate_id, tariff.sha256
