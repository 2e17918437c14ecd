"""Scans to priced charges: how many stays a second a real worker applies, and what one costs in CPU time."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click

from bench import apply_town, cpu_seconds
from bench.apply_town import NOW, Passage, Town
from gate_sim.clock import VirtualClock
from parkflow.db.conn import Conn, Pool
from parkflow.db.migrate import migrate
from parkflow.db.pool import connected, open_pool
from parkflow.db.tx import tx
from parkflow.invariants import checks
from parkflow.servers import embedded_servers
from parkflow.servers.child import wait_until
from parkflow.servers.client import keeper_lives
from parkflow.settings import Settings, master_key
from parkflow.vault import Vault

STAYS = 30_000
_POLL_SECONDS = 0.02
_WORKER_SECONDS_MAX = 600
_STOP_SECONDS_MAX = 30
# Charges become due long after the end: what is measured is raising them.
_DEDUCT_DELAY_SECONDS = 86_400
_STATEMENTS_SHOWN = 25
_STATEMENTS = """
select round(total_exec_time::numeric, 1) as ms, calls, rows, left(regexp_replace(query, '\\s+', ' ', 'g'), 110) as said
  from pg_stat_statements
 where dbid = (select oid from pg_database where datname = current_database()) and query not like '%bench%'
 order by total_exec_time desc
 limit $1
"""


class Spent(NamedTuple):
    """Seconds of one drain: by the clock, of the worker's CPU and of its Postgres's CPU."""

    wall: float
    worker: float
    postgres: float


@dataclass(frozen=True, slots=True)
class Bench:
    """The private server and what stands in it."""

    data_dir: Path
    dsn: str
    pool: Pool
    town: Town
    postmaster_pid: int


def measure_apply(stays: int = STAYS) -> dict[str, float]:
    """Both scans of every stay wait; then entries first and exits in a second go, as on most days."""
    return asyncio.run(_measure(stays))


async def _measure(stays: int) -> dict[str, float]:
    async with _bench(stays) as bench:
        together = await _drained(bench, apply_town.passages(bench.town, per_card=1, seed=1), [("entry", "exit")])
    async with _bench(stays) as bench:
        apart = await _drained(bench, apply_town.passages(bench.town, per_card=1, seed=1), [("entry",), ("exit",)])
    return {
        "apply_stays_per_s": stays / together.wall,
        "apply_worker_cpu_ms": 1e3 * together.worker / stays,
        "apply_postgres_cpu_ms": 1e3 * together.postgres / stays,
        "apply_apart_stays_per_s": stays / apart.wall,
        "apply_apart_worker_cpu_ms": 1e3 * apart.worker / stays,
        "apply_apart_postgres_cpu_ms": 1e3 * apart.postgres / stays,
    }


@asynccontextmanager
async def _bench(cards: int, tariff_names: Sequence[str] = apply_town.TARIFFS) -> AsyncIterator[Bench]:
    with _data_dir() as data_dir:
        settings = Settings(data_dir=data_dir)
        with embedded_servers(settings) as servers:
            await migrate(servers.database_dsn)
            async with open_pool(servers.database_dsn, application="bench") as pool:
                town = await apply_town.found(pool, Vault(master_key(settings)), cards=cards, tariff_names=tariff_names)
                yield Bench(data_dir, servers.database_dsn, pool, town, _postmaster_pid(data_dir))


@contextmanager
def _data_dir() -> Iterator[Path]:
    """A directory on a disk, which commits wait for as they do in earnest; the servers' account can enter it."""
    data_dir = Path(tempfile.mkdtemp(prefix="pf-bench-apply-"))
    data_dir.chmod(0o755)
    try:
        yield data_dir
    finally:
        if keeper_lives(data_dir):
            os.kill(json.loads((data_dir / "servers.json").read_text(encoding="utf-8"))["keeper_pid"], signal.SIGTERM)
            wait_until(lambda: not keeper_lives(data_dir), timeout_seconds=_STOP_SECONDS_MAX)
        shutil.rmtree(data_dir)


def _postmaster_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text(encoding="ascii").split()[0])


async def _drained(
    bench: Bench, stays: Sequence[Passage], goes: Sequence[Sequence[str]], profile: Path | None = None
) -> Spent:
    """Seconds until all stays have their charge; what is told in one go waits before the worker begins."""
    spent = [Spent(0, 0, 0)]
    for directions in goes:
        async with tx(bench.pool) as conn:
            await apply_town.scan_all(conn, bench.town, stays, directions)
        async with bench.pool.acquire() as conn:
            for statement in ("vacuum (analyze)", "checkpoint"):
                await conn.execute(statement)
        with _worker(bench.data_dir, profile) as pid:
            spent.append(await _watch(bench, pid))
    await _verify(bench, stays)
    return Spent(*(sum(column) for column in zip(*spent, strict=True)))


async def _watch(bench: Bench, worker_pid: int) -> Spent:
    """From the moment the worker holds its buckets until nothing is left for it."""
    async with connected(bench.dsn, application="bench watch") as conn:
        own = [await conn.fetchval("select pg_backend_pid()")]
        await _until(conn, "select exists (select from bucket_lease where owner <> '' and expires_at > now())")
        begun = _now(bench, worker_pid, own)
        # Written when a whole pass has found nothing left to do.
        await _until(conn, "select exists (select from worker_progress)")
        ended = _now(bench, worker_pid, own)
    return Spent(*(after - before for before, after in zip(begun, ended, strict=True)))


def _now(bench: Bench, worker_pid: int, own: Sequence[int]) -> Spent:
    return Spent(
        time.perf_counter(),
        cpu_seconds.of_tree(worker_pid),
        cpu_seconds.of_tree(bench.postmaster_pid, without=own),
    )


async def _until(conn: Conn, question: str) -> None:
    give_up = time.perf_counter() + _WORKER_SECONDS_MAX
    while not await conn.fetchval(question):
        assert time.perf_counter() < give_up, f"not yet after {_WORKER_SECONDS_MAX} seconds: {question}"
        await asyncio.sleep(_POLL_SECONDS)


@contextmanager
def _worker(data_dir: Path, profile: Path | None = None) -> Iterator[int]:
    """A worker process on the data directory, at an instant that stands still."""
    clock = data_dir / "clock"
    if not clock.exists():
        VirtualClock(clock, NOW)
    command = [
        sys.executable,
        *(["-m", "cProfile", "-o", str(profile)] if profile else []),
        "-m",
        "parkflow.cli",
        "worker",
    ]
    environ = {
        **os.environ,
        "PARKFLOW_DATA_DIR": str(data_dir),
        "PARKFLOW_CLOCK": f"file:{clock}",
        "PARKFLOW_DEDUCT_DELAY_SECONDS": str(_DEDUCT_DELAY_SECONDS),
    }
    log = data_dir / "worker.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
    try:
        yield process.pid
    finally:
        process.terminate()
        status = process.wait()
    assert status == 0, log.read_text(encoding="utf-8")


async def _verify(bench: Bench, stays: Sequence[Passage]) -> None:
    """Every stay has its own fee, one charge and one ledger row, and no invariant is broken."""
    async with bench.pool.acquire() as conn:
        rows = await conn.fetch(
            "select s.card_id, s.entry_at, s.exit_at, s.state, s.fee_minor, c.net_minor, t.amount_minor"
            " from stay s"
            " left join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id and c.state = 'due'"
            " left join ledger_transfer t on t.bucket = s.bucket and t.reference = s.stay_id::text"
            "  and t.code = 'charge_raised'"
        )
        await conn.execute("analyze")
    broken = [one for one in await checks.run(bench.pool, now=NOW) if one.violations]
    found = {(row["card_id"], row["entry_at"], row["exit_at"], row["state"]): tuple(row.values())[4:] for row in rows}
    wanted = {(one.card_id, one.entry_at, one.exit_at, "priced"): one.fee_minor for one in stays}
    assert len(rows) == len(stays), f"{len(rows)} stays of {len(stays)} passages"
    assert found.keys() == wanted.keys(), "not every passage is one priced stay"
    # What a stay costs after others of its card is computed again by an invariant.
    wrong = [key for key, fee in wanted.items() if fee is not None and found[key] != (fee, fee, fee)]
    wrong += [key for key, (fee, *due) in found.items() if due != [fee or None] * 2]
    assert not wrong, f"{len(wrong)} stays lack their fee, their charge or their row, such as {wrong[0]}"
    assert not broken, broken


@click.command()
@click.option("--stays", default=STAYS, show_default=True)
@click.option("--apart", is_flag=True, help="Entries in a first go, exits in a second.")
@click.option("--profile", type=click.Path(path_type=Path), help="Write a cProfile of the (last) worker here.")
@click.option("--tariff", "tariff_names", multiple=True, default=apply_town.TARIFFS)
@click.option("--per-card", default=1, show_default=True, help="Stays of each card.")
def main(stays: int, apart: bool, profile: Path | None, tariff_names: Sequence[str], per_card: int) -> None:
    """Look closer: one drain, with the time of each statement and a profile of the worker."""
    asyncio.run(_look(stays, apart, profile, tariff_names, per_card))


async def _look(stays: int, apart: bool, profile: Path | None, tariff_names: Sequence[str], per_card: int) -> None:
    async with _bench(stays // per_card, tariff_names) as bench, bench.pool.acquire() as conn:
        await conn.execute("create extension if not exists pg_stat_statements")
        passages = apply_town.passages(bench.town, per_card=per_card, seed=1)
        goes = [("entry",), ("exit",)] if apart else [("entry", "exit")]
        spent = await _drained(bench, passages, goes, profile)
        rows = await conn.fetch(_STATEMENTS, _STATEMENTS_SHOWN)
    for row in rows:
        click.echo(f"{row['ms']:9.1f} ms {row['calls']:6} calls {row['rows']:8} rows  {row['said']}")
    click.echo(
        f"{len(passages) / spent.wall:,.0f} stays/s; CPU ms a stay: {1e3 * spent.worker / len(passages):.3f} worker,"
        f" {1e3 * spent.postgres / len(passages):.3f} Postgres"
    )


if __name__ == "__main__":
    main()
