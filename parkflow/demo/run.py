"""One run of the demo: processes up, operator and drivers in, the story told, books compared, figures collected."""

import asyncio
import contextlib
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop

from gate_sim.api import call
from gate_sim.clock import VirtualClock
from gate_sim.driver import Offices
from gate_sim.fleet import Fleet
from gate_sim.http import Client
from gate_sim.save import Addresses, save_town
from parkflow.db.migrate import migrate
from parkflow.db.sql import load
from parkflow.demo.figures import Book, Figures, Lot, collect, lot_figures
from parkflow.demo.mailbox import Mailbox
from parkflow.demo.office import CHANNEL, Office, found_operator, install_gates, open_lots
from parkflow.demo.pace import Pace
from parkflow.demo.people import invite, sign_up
from parkflow.demo.plan import Plan
from parkflow.demo.stack import Stack, child_environment, free_port, kept_up
from parkflow.demo.story import Story
from parkflow.invariants import checks
from parkflow.kit.clock import FileClock, SystemClock
from parkflow.kit.errors import ParkflowError
from parkflow.reconciliation import service as reconciliation
from parkflow.servers import Servers, embedded_servers
from parkflow.servers.child import wait_until
from parkflow.servers.client import keeper_lives
from parkflow.services import Services, open_services
from parkflow.settings import Settings

_SQL = load(__file__)
_START: Final = time(5, 30)
_KEEPER_SECONDS: Final = 30
_LIVE_STEP_SECONDS: Final = 0.2
_NS: Final = 1_000_000_000


class DatabaseNotEmpty(ParkflowError):
    """The demo needs an empty database: leave PARKFLOW_DATABASE_URL and --data-dir away, or give new ones."""

    code = "database_not_empty"
    status = 409


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller wants of a run; `progress` is told (what, how many are done, of how many)."""

    plan: Plan
    progress: Callable[[str, int, int], None]
    port: int = 0
    tariff: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A finished run."""

    figures: Figures
    lots: Sequence[Lot]
    broken_rules: Sequence[str]
    service_url: str
    channel_url: str


@dataclass(frozen=True, slots=True)
class _Stage:
    """What stands while the story is told."""

    settings: Settings
    servers: Servers
    stack: Stack
    clock: VirtualClock
    service: Client
    channel: Client


@contextlib.contextmanager
def data_directory(wanted: Path | None) -> Iterator[Path]:
    """`wanted`, kept; or a temporary directory that goes with all that runs in it."""
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="parkflow-demo-"))
    # The embedded servers run under another account when we are root, and must be able to enter.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        wait_until(lambda: not keeper_lives(folder), timeout_seconds=_KEEPER_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def run(wishes: Wishes, settings: Settings, *, linger: Callable[[Told], Awaitable[None]] | None = None) -> Told:
    """Run the demo in the data directory of `settings`; `linger` is awaited while everything still runs.

    Raises ParkflowError: no database, a port taken, a process that does not start.
    """
    with embedded_servers(settings) as servers, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(wishes, settings, servers, linger))


async def _run(
    wishes: Wishes, settings: Settings, servers: Servers, linger: Callable[[Told], Awaitable[None]] | None
) -> Told:
    _end_on_sigterm()
    began_ns = SystemClock().monotonic_ns()
    await migrate(servers.database_dsn)
    async with _stage(wishes, settings, servers) as stage, _services(stage) as services:
        story, office = await _prepare(wishes, stage, services)
        await story.agenda().keep(story.pace, done=lambda done, of: wishes.progress("parking", done, of))
        rest = await _compare_with_channel(stage, story.pace.now, wishes.plan)
        findings = await checks.run(services.pool, now=story.pace.now)
        rest["invariant_violations"] = checks.violated(findings)
        totals = await call(stage.channel, "GET", "/v1/book")
        book = Book(totals["succeeded_minor"], totals["refunded_minor"])
        rest["elapsed_s"] = (SystemClock().monotonic_ns() - began_ns) // _NS
        async with services.pool.acquire() as conn:
            figures = await collect(conn, story, operator_id=office.operator_id, book=book, rest=rest)
            lots = await lot_figures(conn, operator_id=office.operator_id, plan=wishes.plan)
        broken = [f"{finding.invariant} {finding.rule}" for finding in findings if finding.violations]
        told = Told(figures, lots, broken, stage.service.base_url, stage.channel.base_url)
        save_town(settings.data_dir, _addresses(stage, office), story.fleet, wishes.plan.seed)
        if linger is not None:
            await _linger(stage.clock, linger(told))
    return told


@contextlib.asynccontextmanager
async def _stage(wishes: Wishes, settings: Settings, servers: Servers) -> AsyncIterator[_Stage]:
    """Clock and channel; the service's own processes come when the operator stands."""
    folder = settings.data_dir
    (folder / "gates").mkdir(exist_ok=True)
    clock = VirtualClock(folder / "clock", wishes.plan.at(0, _START))
    environment = child_environment(PARKFLOW_DATA_DIR=str(folder), PARKFLOW_CLOCK=f"file:{clock.path}")
    service_port, channel_port = free_port(wishes.port), free_port()
    async with (
        kept_up(Stack(folder, environment)) as stack,
        Client(f"http://127.0.0.1:{service_port}") as service,
        Client(f"http://127.0.0.1:{channel_port}") as channel,
    ):
        yield _Stage(settings, servers, stack, clock, service, channel)


@contextlib.asynccontextmanager
async def _services(stage: _Stage) -> AsyncIterator[Services]:
    async with open_services(
        stage.settings,
        clock=FileClock(stage.clock.path),
        database_dsn=stage.servers.database_dsn,
        redis_url=stage.servers.redis_url,
        application="parkflow demo",
    ) as services:
        yield services


async def _prepare(wishes: Wishes, stage: _Stage, services: Services) -> tuple[Story, Office]:
    """Everything up to the first car: processes, operator, lots, gates, drivers."""
    plan, now = wishes.plan, stage.clock.now()
    async with services.pool.acquire() as conn:
        if not await conn.fetchval(_SQL.is_empty):
            raise DatabaseNotEmpty
    secret = secrets.token_bytes(32)
    office = await found_operator(services, channel_url=stage.channel.base_url, channel_secret=secret, now=now)
    await _start_processes(stage, plan, secret)
    service = stage.service
    office = await open_lots(service, office, plan.lots, source=wishes.tariff, now=now)
    gates = await install_gates(service, office, seed=plan.seed, folder=stage.settings.data_dir / "gates", now=now)
    people = invite(plan, Offices(service, stage.channel, CHANNEL, office.operator))
    signed = 0

    def one_more() -> None:
        nonlocal signed
        signed += 1
        wishes.progress("signing up", signed, len(people.drivers))

    mailbox = Mailbox(services)
    await sign_up(people, plan, mailbox, done=one_more)
    pace = Pace(stage.clock, services.pool, stage.stack)
    return Story(plan, pace, Fleet(gates, people.drivers), people, mailbox, service), office


async def _start_processes(stage: _Stage, plan: Plan, secret: bytes) -> None:
    channel = stage.stack.add(
        "channel",
        "gate_sim",
        "channel",
        f"--seed={plan.seed.number}",
        f"--book={stage.settings.data_dir / 'channel.sqlite'}",
        f"--port={urlsplit(stage.channel.base_url).port}",
        f"--clock=file:{stage.clock.path}",
        f"--notify-url={stage.service.base_url}/v1/channels/{CHANNEL}/notifications",
        environment={"GATE_SIM_CHANNEL_SECRET": secret.hex()},
    )
    port = {"PARKFLOW_API_PORT": str(urlsplit(stage.service.base_url).port)}
    api = stage.stack.add("api", "parkflow", "serve", environment=port)
    stage.stack.add("worker", "parkflow", "worker")
    await stage.stack.answers(channel, stage.channel.base_url, "/v1/book")
    await stage.stack.answers(api, stage.service.base_url, "/readyz")


async def _compare_with_channel(stage: _Stage, now: datetime, plan: Plan) -> dict[str, int]:
    """Reconcile every day that is over: today's bill is not written yet."""
    matched = broken = 0
    # Opened anew, because the channel account is younger than the services at hand.
    async with _services(stage) as services:
        day = plan.first_day.date()
        while day < now.astimezone(plan.first_day.tzinfo).date():
            report = await reconciliation.run(services, channel=CHANNEL, day=day, now=now)
            matched, broken = matched + report.matched, broken + len(report.breaks)
            day += timedelta(days=1)
    return {"bills_matched": matched, "bills_broken": broken}


def _addresses(stage: _Stage, office: Office) -> Addresses:
    return Addresses(stage.service.base_url, stage.channel.base_url, CHANNEL, office.operator, office.token)


async def _linger(clock: VirtualClock, until: Awaitable[None]) -> None:
    """From here the virtual clock runs at the pace of a real one."""

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(_LIVE_STEP_SECONDS)
            # Others may move this clock as well, e.g. a fleet for which a real minute takes too long.
            clock.advance(timedelta(seconds=loop.time() - last))
            last = loop.time()

    hand = asyncio.create_task(tick())
    try:
        await until
    finally:
        hand.cancel()


def _end_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None, "called inside the run"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
