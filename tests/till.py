"""A till for tests: parkflow's money rooms over a real database, and a real channel process that they talk to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from gate_sim.channel.book import Book
from gate_sim.channel.desk import Desk
from gate_sim.channel.plan import Plan
from gate_sim.channel.server import serving
from parkflow.channel.service import Channels
from parkflow.channel.simulated import SimulatedChannel
from parkflow.charge import deduct, query
from parkflow.charge import service as charges
from parkflow.charge.store import NewCharge
from parkflow.db.conn import Pool, Row
from parkflow.db.tx import tx
from parkflow.kit.ids import bucket_of, new_id
from parkflow.ledger import service as ledger
from parkflow.refund import service as refunds
from parkflow.services import Services
from parkflow.vault import Vault
from tests import seed
from tests.edge import services_over
from tests.held_clock import HeldClock

SECRET = bytes(32)
ALL_BUCKETS = list(range(1024))
WORKER = "worker-1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SharedTime:
    """The channel lives in the test's time."""

    virtual = True

    def __init__(self, clock: HeldClock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        return (self._clock.now() - _EPOCH) // timedelta(milliseconds=1)


class Till:
    """One operator with one live lot, drivers with wallets, and the steps of a worker."""

    def __init__(self, services: Services, clock: HeldClock, book: Book, address: str) -> None:
        self.services, self.clock, self.book, self.address = services, clock, book, address
        self.pool = services.pool
        self.vault = Vault(bytes(32))
        self.operator_id = 0
        self.lot_id = 0

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def furnish(self, *, live: bool = True) -> None:
        """The operator, its open day, its lot, and the leases of the one worker."""
        async with tx(self.pool) as conn:
            self.operator_id = await seed.operator(conn, self.vault)
            await seed.channel(conn, self.vault, base_url=self.address)
            await ledger.ensure_open_day(conn, self.operator_id, self.now)
            self.lot_id = new_id(5)
            await conn.execute(
                "insert into lot (lot_id, operator_id, reference, name, time_zone, created_at)"
                " values ($1, $2, 'A', 'Lot A', 'America/New_York', $3)",
                self.lot_id,
                self.operator_id,
                self.now,
            )
            await conn.execute(
                "insert into lot_channel (lot_id, channel, state, updated_at) values ($1, 'sim', $2, $3)",
                self.lot_id,
                "live" if live else "applied",
                self.now,
            )
        await self.lease_to(WORKER)

    async def lease_to(self, owner: str) -> None:
        """All buckets belong to this worker from now on."""
        async with tx(self.pool) as conn:
            await conn.execute("update bucket_lease set owner = $1, epoch = epoch + 1, expires_at = 'infinity'", owner)

    async def driver(self, wallet: str, funds_minor: int, *plan: Plan, state: str = "active") -> int:
        """A driver whose agreement is confirmed by a wallet with this money and plan; the card's id."""
        async with httpx.AsyncClient(base_url=self.address, trust_env=False) as client:
            body = {"wallet": wallet, "funds_minor": funds_minor, "plan": list(plan)}
            await client.post("/v1/wallets", json=body)
            channel = self.services.channels["sim"]
            external_no = f"ext{wallet}"
            url = await channel.sign_agreement(external_no=external_no, user_ref="u", scene="parking", return_url="")
            await client.post(url, json={"wallet": wallet})
        ref = (await channel.query_agreement(external_no)).ref
        async with tx(self.pool) as conn:
            _, card_id = await seed.driver_with_card(
                conn, self.vault, operator_id=self.operator_id, phone=f"+1434{wallet}", state=state
            )
            await conn.execute(
                "update agreement set channel_ref = $2"
                " where agreement_id = (select agreement_id from card where card_id = $1)",
                card_id,
                ref,
            )
        return card_id

    async def charge(self, card_id: int, amount_minor: int = 500, *, kind: str = "stay") -> int:
        """Money that is due now; the charge's id."""
        charge_id = card_id if kind == "deposit" else new_id(bucket_of(card_id))
        new = NewCharge(
            bucket=bucket_of(card_id),
            charge_id=charge_id,
            kind=kind,
            card_id=card_id,
            operator_id=self.operator_id,
            lot_id=None if kind == "deposit" else self.lot_id,
            gross_minor=amount_minor,
            discount_minor=0,
            currency="USD",
            occurred_at=self.now,
        )
        async with tx(self.pool) as conn:
            assert await charges.raise_charges(conn, [new], now=self.now) == [charge_id]
        return charge_id

    async def deduct(self, owner: str = WORKER) -> int:
        return await deduct.run(self.services, owner=owner, buckets=ALL_BUCKETS, now=self.now)

    async def query(self, owner: str = WORKER) -> int:
        return await query.run(self.services, owner=owner, buckets=ALL_BUCKETS, now=self.now)

    async def refund(self, owner: str = WORKER) -> int:
        return await refunds.run(self.services, owner=owner, buckets=ALL_BUCKETS, now=self.now)

    async def work(self, owner: str = WORKER) -> None:
        """Passes until nothing is due at this instant."""
        while await self.deduct(owner) + await self.query(owner) + await self.refund(owner):
            pass

    async def work_on(self, *, days: int) -> None:
        """Work at every instant at which something falls due, for so many days."""
        until = self.now + timedelta(days=days)
        while True:
            await self.work()
            due = await self.value(
                "select min(at) from (select min(next_attempt_at) as at from charge where state in ('due', 'arrears')"
                " union all select min(next_query_at) from attempt where state in ('recorded', 'sent', 'unknown')"
                " union all select min(next_try_at) from refund where state in ('recorded', 'sent', 'unknown')) as x"
            )
            if due is None or due > until:
                return
            self.clock.move_to(due)

    async def row(self, sql: str, *args: object) -> Row:
        async with self.pool.acquire() as conn:
            found = await conn.fetchrow(sql, *args)
        assert found is not None
        return found

    async def rows(self, sql: str, *args: object) -> list[Row]:
        async with self.pool.acquire() as conn:
            return await conn.fetch(sql, *args)

    async def value(self, sql: str, *args: object) -> Any:
        async with self.pool.acquire() as conn:
            return await conn.fetchval(sql, *args)

    async def state(self, charge_id: int) -> str:
        return str(await self.value("select state from charge where charge_id = $1", charge_id))

    async def attempts(self, charge_id: int) -> list[str]:
        found = await self.rows("select state from attempt where charge_id = $1 order by number", charge_id)
        return [row["state"] for row in found]

    def funds(self, wallet: str) -> int:
        found = self.book.wallet(wallet)
        assert found is not None
        return found.funds_minor

    async def check_books(self) -> None:
        """Our ledger and the channel's book tell the same, once nothing is unknown."""
        assert await self.value("select count(*) from attempt where state in ('recorded', 'sent', 'unknown')") == 0
        with self.book.change():
            self.book.decide_pending(now_ms=SharedTime(self.clock).now_ms())
        theirs = self.book.totals()
        ours = await self.row(
            "select coalesce(sum(amount_minor) filter (where debit_kind = 'channel_clearing'), 0)::bigint as taken,"
            " coalesce(sum(amount_minor) filter (where credit_kind = 'channel_clearing'), 0)::bigint as given"
            " from ledger_transfer"
        )
        assert (ours["taken"], ours["given"]) == (theirs["succeeded_minor"], theirs["refunded_minor"])
        receivable = await self.value(
            "select coalesce(sum(case when debit_kind = 'driver_receivable' then amount_minor else 0 end)"
            " - sum(case when credit_kind = 'driver_receivable' then amount_minor else 0 end), 0)::bigint"
            " from ledger_transfer"
        )
        owed = await self.value(
            "select coalesce(sum(net_minor), 0)::bigint from charge"
            " where kind = 'stay' and state in ('due', 'attempting', 'arrears')"
        )
        assert receivable == owed
        twice = (
            "select charge_id from attempt where state = 'succeeded' and not surplus"
            " group by charge_id having count(*) > 1"
        )
        assert await self.rows(twice) == []


@asynccontextmanager
async def open_till(
    pool: Pool, clock: HeldClock, folder: Path, *, notify_url: str | None = None
) -> AsyncIterator[Till]:
    """A till with its channel for the time of the block."""
    book = Book(folder / "channel.sqlite")
    async with serving(Desk(book, SharedTime(clock), seed=7, secret=SECRET), notify_url=notify_url) as port:
        address = f"http://127.0.0.1:{port}"
        channel = SimulatedChannel(
            name="sim",
            base_url=address,
            secret=SECRET,
            bill_time_zone="America/New_York",
            clock=clock,
            timeout_seconds=2,
        )
        services = replace(services_over(pool, clock), channels=Channels({"sim": channel}))
        try:
            yield Till(services, clock, book, address)
        finally:
            await channel.aclose()
    book.close()
