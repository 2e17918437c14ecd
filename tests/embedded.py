"""The embedded servers for tests: one start a session, one database a test, cloned from a migrated template."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from parkflow.db.migrate import migrate
from parkflow.db.pool import connected
from parkflow.servers import Servers, embedded_servers
from parkflow.servers.child import wait_until
from parkflow.servers.client import keeper_lives
from parkflow.settings import Settings

T = TypeVar("T")
TEMPLATE = "parkflow_template"
_MEMORY_BYTES_MIN = 2 * 1024**3
_numbers = itertools.count(1)


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own in another thread, so that also an async test's fixtures may call it."""
    with ThreadPoolExecutor(max_workers=1) as threads:
        return threads.submit(asyncio.run, work).result()


@contextlib.contextmanager
def temporary_data_dir() -> Iterator[Path]:
    """A data directory that also the servers' account can enter, removed at the end with all that runs in it."""
    # In memory where that is possible: a clone syncs three hundred files, which is most of a test's time on a disk.
    in_memory = Path("/dev/shm")
    roomy = in_memory.is_dir() and shutil.disk_usage(in_memory).free > _MEMORY_BYTES_MIN
    data_dir = Path(tempfile.mkdtemp(prefix="pf-test-", dir=in_memory if roomy else "/tmp"))
    data_dir.chmod(0o755)
    try:
        yield data_dir
    finally:
        stop_keeper(data_dir)
        shutil.rmtree(data_dir)


def stop_keeper(data_dir: Path, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """End the keeper of a data directory, if there is one, and wait until it is gone."""
    if keeper_lives(data_dir):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(keeper_pid(data_dir), with_signal)
        assert wait_until(lambda: not keeper_lives(data_dir), timeout_seconds=30)


def keeper_pid(data_dir: Path) -> int:
    """The process id of the running keeper."""
    return int(json.loads((data_dir / "servers.json").read_text())["keeper_pid"])


def start_with_template(settings: Settings, stack: contextlib.ExitStack) -> Servers:
    """Start the servers for the life of `stack` and make the migrated template database."""
    servers = stack.enter_context(embedded_servers(settings))
    run_apart(_execute(servers.database_dsn, f"create database {TEMPLATE}"))
    run_apart(migrate(other_database(servers.database_dsn, TEMPLATE)))
    return servers


@contextlib.contextmanager
def cloned_database(servers: Servers) -> Iterator[str]:
    """The address of a new database with the whole schema, dropped at the end."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    run_apart(_execute(servers.database_dsn, f"create database {name} template {TEMPLATE} strategy file_copy"))
    try:
        yield other_database(servers.database_dsn, name)
    finally:
        run_apart(_execute(servers.database_dsn, f"drop database {name} with (force)"))


def other_database(dsn: str, name: str) -> str:
    """The same server's database `name`."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


async def _execute(dsn: str, statement: str) -> None:
    async with connected(dsn) as conn:
        await conn.execute(statement)
