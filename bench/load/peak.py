"""A peak of exits from end to end: town and open stays, Locust in a process of its own, its report and our table."""

import asyncio
import csv
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.console import Console
from rich.table import Table

from bench.load import meters
from bench.load.agenda import AGENDA_VARIABLE, LOOK, Agenda, Exit, Rhythm, acts_of, entries_of, exits_of
from bench.load.cards import Cards, cards_path, make_cards
from bench.load.founding import found_town
from bench.load.home import Home
from bench.load.journals import make_journals
from bench.load.sender import Sender, closed_loop
from bench.load.service import Service, running, temporary_home
from bench.load.town import Town, TownSize
from parkflow.account import service as accounts
from parkflow.db.pool import connected
from parkflow.vault import Vault

SEED: Final = 20_171_020
RESULTS: Final = Path(__file__).parents[1] / "results" / "load"
_LOCUSTFILE: Final = Path(__file__).parent / "locustfile_peak.py"
# Locust ends by itself when the agenda is done; this only bounds a service that answers no more.
_OVERTIME_SECONDS: Final = 120
_APPLY_SECONDS_MAX: Final = 180
_UPLOADS_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Peak:
    """Where, when and how."""

    name: str
    size: TownSize
    times: Sequence[float]
    seconds: float
    rhythm: Rhythm = field(default_factory=Rhythm)
    folder: Path = RESULTS


class Line(NamedTuple):
    """One kind of request as Locust counted it; times from the moment when it was due."""

    name: str
    requests: int
    failures: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The table, by name of the request (`Aggregated` is all), and how many answers asked to come again later."""

    lines: Mapping[str, Line]
    refused: int


def run(peak: Peak) -> Outcome:
    """Found the town, let the cars in, carry out the agenda; prints the table."""
    context = multiprocessing.get_context("spawn")
    with temporary_home() as home, ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        begun, now = time.perf_counter(), datetime.now(UTC)
        town = asyncio.run(found_town(home.dsn, Vault(home.master_key), peak.size, now=now))
        make_cards(home, town, seed=SEED, now=now, pool=pool)
        click.echo(f"town of {len(town.gates)} gates, {peak.size.cards:,} cards in {time.perf_counter() - begun:.1f} s")
        return asyncio.run(_run(home, town, peak, pool))


async def _run(home: Home, town: Town, peak: Peak, pool: Executor) -> Outcome:
    agenda = await make_agenda(home, town, peak)
    async with running(home.data_dir, {"PARKFLOW_DATA_DIR": str(home.data_dir)}) as service:
        await _let_in(home, agenda, service, pool)
        before = await meters.read(home, service)
        outcome = await carry_out(peak, agenda, service)
        cost = meters.between(before, await meters.read(home, service))
    show(peak, outcome)
    cost.show(peak.name, scans=len(peak.times))
    await check_exits(home, len(peak.times))
    return outcome


async def make_agenda(home: Home, town: Town, peak: Peak) -> Agenda:
    """What will happen, with a session for each driver who will look."""
    exits = exits_of(town, peak.times, seed=SEED)
    acts = acts_of(exits, peak.rhythm, gates=len(town.gates), seconds=peak.seconds, seed=SEED)
    leaving = [one for lot in exits for one in lot]
    sessions = await _log_in(home, town, {act.number: leaving[act.number] for act in acts if act.kind == LOOK})
    return Agenda(town, home.outbox, exits, acts, sessions)


async def _log_in(home: Home, town: Town, lookers: Mapping[int, Exit]) -> dict[int, str]:
    """A session for each driver who will look, by the number of the exit."""
    cards = [Cards(cards_path(home.outbox, operator)) for operator in range(town.size.operators)]
    code_keys = {
        number: cards[town.operator_of(one.lot)][one.card].code_secret[-32:] for number, one in lookers.items()
    }
    now = datetime.now(UTC)
    async with connected(home.dsn, application="bench") as conn, conn.transaction():
        rows = await conn.fetch(
            "select c.code_key, a.account_id from credential c join card a using (bucket, card_id)"
            " where c.code_key = any($1::bytea[])",
            list(code_keys.values()),
        )
        accounts_of = {row["code_key"]: row["account_id"] for row in rows}
        return {
            number: (await accounts.open_session(conn, accounts_of[code_key], lifetime_days=1, now=now)).token
            for number, code_key in code_keys.items()
        }


async def _let_in(home: Home, agenda: Agenda, service: Service, pool: Executor) -> None:
    """Every car that will leave has come in, and its stay is open before the load begins."""
    begun = time.perf_counter()
    epochs = entries_of(agenda.town, agenda.exits, int(time.time()), now_ms=time.time_ns() // 1_000_000)
    waiting = deque(upload for uploads in make_journals(epochs, home.outbox, pool) for upload in uploads)
    sender = Sender(service.url, seed=SEED)
    try:
        tally, _, _ = await closed_loop(sender, waiting, in_flight=_UPLOADS_AT_ONCE, seconds=_APPLY_SECONDS_MAX)
    finally:
        await sender.aclose()
    while time.perf_counter() - begun < _APPLY_SECONDS_MAX:
        async with connected(home.dsn, application="bench") as conn:
            if await conn.fetchval("select count(*) from stay where state = 'open'") == tally.scans:
                click.echo(f"{tally.scans:,} cars have come in within {time.perf_counter() - begun:.1f} s")
                return
        await asyncio.sleep(0.5)
    raise click.ClickException(f"{tally.scans:,} entries were not all made stays in {_APPLY_SECONDS_MAX} s")


async def carry_out(peak: Peak, agenda: Agenda, service: Service) -> Outcome:
    """Run Locust until the agenda is done; its report and its CSV files are in the peak's folder."""
    peak.folder.mkdir(parents=True, exist_ok=True)
    path = agenda.outbox / "agenda"
    path.write_bytes(pickle.dumps(agenda))
    prefix = peak.folder / peak.name
    command = [sys.executable, "-P", "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--only-summary"]
    command += ["--users", "1", "--spawn-rate", "1", "--host", service.url, "--stop-timeout", "30"]
    command += ["--run-time", f"{int(peak.seconds + _OVERTIME_SECONDS)}s", "--exit-code-on-error", "0"]
    command += ["--csv", str(prefix), "--html", f"{prefix}.html", "--loglevel", "WARNING", "--skip-log-setup"]
    environment = {**service.environment, AGENDA_VARIABLE: str(path)}
    with (peak.folder / f"{peak.name}.log").open("wb") as log:
        done = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        code = await done.wait()
    if code != 0:
        raise click.ClickException(f"Locust ended with {code}; see {log.name}")
    return read_outcome(prefix)


def read_outcome(prefix: Path) -> Outcome:
    """What Locust wrote to its CSV files."""
    with Path(f"{prefix}_stats.csv").open(encoding="utf-8") as file:
        lines = {row["Name"]: _line(row) for row in csv.DictReader(file)}
    with Path(f"{prefix}_failures.csv").open(encoding="utf-8") as file:
        refused = sum(int(row["Occurrences"]) for row in csv.DictReader(file) if "refused" in row["Error"])
    return Outcome(lines, refused)


def _line(row: Mapping[str, str]) -> Line:
    return Line(
        row["Name"],
        int(row["Request Count"]),
        int(row["Failure Count"]),
        float(row["Requests/s"]),
        *(_milliseconds(row[share]) for share in ("50%", "95%", "99%", "100%")),
    )


def _milliseconds(text: str) -> float:
    return float(text) if text not in ("", "N/A") else float("nan")


def show(peak: Peak, outcome: Outcome) -> None:
    """Print the table."""
    title = f"{peak.name}: {len(peak.times):,} exits in {peak.seconds:.0f} s, refused {outcome.refused}"
    table = Table("request", "count", "failed", "a second", "p50 ms", "p95 ms", "p99 ms", "longest ms", title=title)
    for line in outcome.lines.values():
        times = (f"{value:,.0f}" for value in (line.p50_ms, line.p95_ms, line.p99_ms, line.longest_ms))
        table.add_row(line.name, f"{line.requests:,}", f"{line.failures:,}", f"{line.per_second:,.1f}", *times)
    Console(width=110).print(table)
    Console(width=110).print(f"report: {peak.folder / peak.name}.html")


async def check_exits(home: Home, exits: int) -> None:
    """Every exit is there once. Raises otherwise."""
    async with connected(home.dsn, application="bench") as conn:
        found = await conn.fetchval("select count(*) from scan where direction = 'exit'")
    if found != exits:
        raise click.ClickException(f"{exits:,} cars left, but {found:,} exits are stored")
