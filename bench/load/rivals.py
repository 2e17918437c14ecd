"""What the same server does without us: pgbench's simple updates, and bare inserts of the rows that uploads leave."""

import asyncio
import re
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from parkflow.db.conn import Conn
from parkflow.db.migrate import migrate
from parkflow.db.pool import connected
from parkflow.servers.binaries import find_postgres
from parkflow.servers.home import choose_account
from parkflow.settings import load_settings

CLIENTS: Final = 8
PGBENCH_SCALE: Final = 10
_PGBENCH_DATABASE: Final = "load_pgbench"
_BARE_DATABASE: Final = "load_bare"
_TABLES: Final = ("gate_event", "scan")
# As the scan was when it was inserted, before the worker came.
_AS_RECEIVED: Final = {"state": "'received'", "reason": "null", "stay_id": "null"}
Batch = Mapping[str, Sequence[Sequence[Any]]]


def other_database(dsn: str, name: str) -> str:
    """The same server's database `name`."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


async def prepare_pgbench(dsn: str) -> None:
    """Make pgbench's own database and tables."""
    async with connected(dsn, application="bench") as conn:
        await conn.execute(f"create database {_PGBENCH_DATABASE}")
    await asyncio.to_thread(_pgbench, dsn, "-i", "-q", "-s", str(PGBENCH_SCALE))


async def pgbench_tps(dsn: str, *, seconds: int) -> float:
    """Transactions a second of `pgbench -N -c 8`."""
    said = await asyncio.to_thread(_pgbench, dsn, "-N", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-n")
    found = re.search(r"tps = ([0-9.]+)", said)
    assert found is not None, f"pgbench says its tps: {said}"
    return float(found[1])


def _pgbench(dsn: str, *arguments: str) -> str:
    program = find_postgres(load_settings().pg_bin, choose_account()).folder / "pgbench"
    done = subprocess.run(
        [program, *arguments, other_database(dsn, _PGBENCH_DATABASE)], check=True, capture_output=True, text=True
    )
    return done.stdout


async def bare_inserts_per_s(dsn: str, *, epoch: int, batches_max: int) -> float:
    """Rows of `gate_event` a second, with their scans, inserted by nobody but eight connections.

    The rows are those that the service stored under `epoch`, the tables the same with all indexes and constraints but
    empty, the batches the gates'. Nothing is verified, parsed or looked up; each batch is one transaction.
    """
    async with connected(dsn, application="bench") as conn:
        batches = await _stored(conn, epoch, batches_max)
        columns = {table: await _columns(conn, table) for table in _TABLES}
        await conn.execute(f"create database {_BARE_DATABASE}")
    target = other_database(dsn, _BARE_DATABASE)
    await migrate(target)
    statements = {table: _insert(table, columns[table]) for table in _TABLES}
    waiting = deque(batches)
    rows = sum(len(batch["gate_event"][0]) for batch in batches)

    async def keep_inserting(conn: asyncpg.Connection) -> None:
        while waiting:
            batch = waiting.popleft()
            async with conn.transaction():
                for table, statement in statements.items():
                    await conn.execute(statement, *batch[table])

    connections = [await asyncpg.connect(target) for _ in range(CLIENTS)]
    try:
        begun = time.perf_counter()
        await asyncio.gather(*(keep_inserting(conn) for conn in connections))
        return rows / (time.perf_counter() - begun)
    finally:
        for conn in connections:
            await conn.close()


async def _columns(conn: Conn, table: str) -> dict[str, str]:
    """Name and type of each column."""
    rows = await conn.fetch(
        "select attname, format_type(atttypid, atttypmod) as type from pg_attribute"
        " where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum",
        table,
    )
    return {row["attname"]: row["type"] for row in rows}


def _insert(table: str, columns: Mapping[str, str]) -> str:
    # jsonb goes as text, which is how any client sends it.
    arrays = ", ".join(
        f"${place}::{'text' if kind == 'jsonb' else kind}[]" for place, kind in enumerate(columns.values(), start=1)
    )
    values = ", ".join(f"r.{name}::jsonb" if kind == "jsonb" else f"r.{name}" for name, kind in columns.items())
    names = ", ".join(columns)
    return f"insert into {table} ({names}) select {values} from unnest({arrays}) as r ({names})"


async def _stored(conn: Conn, epoch: int, batches_max: int) -> list[Batch]:
    """What the service stored of the first batches, as columns by table."""
    gates = await conn.fetch("select distinct gate_id from gate_event where epoch = $1", epoch)
    batches: list[Batch] = []
    for gate in gates:
        by_table = {table: await _rows(conn, table, gate["gate_id"], epoch) for table in _TABLES}
        batches += [
            {table: list(zip(*rows[number], strict=True)) for table, rows in by_table.items()}
            for number in by_table["gate_event"]
            if all(number in rows for rows in by_table.values())
        ]
        if len(batches) >= batches_max:
            break
    return batches[:batches_max]


async def _rows(conn: Conn, table: str, gate_id: int, epoch: int) -> dict[int, list[tuple[Any, ...]]]:
    """A gate's rows by batch: the scans of one are those that came at one instant."""
    names = await _columns(conn, table)
    wanted = ", ".join(
        _AS_RECEIVED[name] if table == "scan" and name in _AS_RECEIVED else f"{name}::text" if kind == "jsonb" else name
        for name, kind in names.items()
    )
    rows = await conn.fetch(
        f"select {wanted}, seq as order_seq from {table} where gate_id = $1 and epoch = $2 order by seq", gate_id, epoch
    )
    return dict(_batches([tuple(row.values()) for row in rows]))


def _batches(rows: Sequence[tuple[Any, ...]], size: int = 500) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    for number, group in groupby(rows, key=lambda row: (row[-1] - 1) // size):
        yield number, [row[:-1] for row in group]
