"""Using the embedded servers: find them running or have a keeper start them, and hold them for the time of a block."""

import contextlib
import fcntl
import json
import logging
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parkflow.kit.errors import DatabaseUnavailable
from parkflow.servers.child import is_running, wait_until
from parkflow.servers.home import Home, keeper_lock, locked_file, make_data_dir, try_lock, users_lock
from parkflow.servers.postgres import START_TIMEOUT_SECONDS, dsn_of
from parkflow.settings import Settings

# The keeper's own limit is START_TIMEOUT_SECONDS; a first start also makes the cluster.
_GUARD_SECONDS: Final = 1
_log: Final = logging.getLogger("parkflow.servers")
_WAIT_SECONDS: Final = START_TIMEOUT_SECONDS + 30


@dataclass(frozen=True)
class Servers:
    """The addresses of what runs: Postgres always, Valkey or Redis perhaps."""

    database_dsn: str
    redis_url: str | None


@contextlib.contextmanager
def embedded_servers(settings: Settings) -> Iterator[Servers]:
    """The servers for the time of the block; they stop soon after the last process has left its block.

    With PARKFLOW_DATABASE_URL set nothing is started and its address is given as it is; PARKFLOW_REDIS_URL goes before
    the embedded Valkey. Blocks (the first start takes a second or two). Raises DatabaseUnavailable.
    """
    if settings.database_url is not None:
        yield Servers(settings.database_url, settings.redis_url)
        return
    data_dir = settings.data_dir.absolute()
    make_data_dir(data_dir)
    with locked_file(users_lock(data_dir)) as descriptor:
        # A keeper that is stopping holds the lock exclusively until all is down.
        if not wait_until(lambda: try_lock(descriptor, fcntl.LOCK_SH), timeout_seconds=_WAIT_SECONDS):
            raise DatabaseUnavailable(f"the servers in {data_dir} have been stopping for {_WAIT_SECONDS} seconds")
        described = _running(data_dir) or _start(data_dir, settings)
        with _guarded(data_dir, settings):
            yield _servers_of(data_dir, described, settings)


def running_servers(settings: Settings) -> Servers | None:
    """The embedded servers if they run now; starts nothing and does not keep them running."""
    data_dir = settings.data_dir.absolute()
    described = _running(data_dir) if keeper_lock(data_dir).exists() else None
    return _servers_of(data_dir, described, settings) if described else None


@contextlib.contextmanager
def _guarded(data_dir: Path, settings: Settings) -> Iterator[None]:
    """Start the servers again, under the same addresses, whenever their keeper was killed during the block."""
    left = threading.Event()

    def guard() -> None:
        while not left.wait(_GUARD_SECONDS):
            if not keeper_lives(data_dir):
                try:
                    _start(data_dir, settings)
                except DatabaseUnavailable as error:
                    _log.error("%s", error.message)

    thread = threading.Thread(target=guard, name="parkflow-servers-guard", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()


def _servers_of(data_dir: Path, described: dict[str, Any], settings: Settings) -> Servers:
    dsn = dsn_of(Home(data_dir, data_dir), Path(described["socket_dir"]))
    socket = described["valkey_socket"]
    return Servers(dsn, settings.redis_url or (f"unix://{socket}" if socket else None))


def _start(data_dir: Path, settings: Settings) -> dict[str, Any]:
    """Start a keeper and wait for it; when several processes do so at once, one keeper stays and all find it."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        if not keeper_lives(data_dir):
            _start_keeper(data_dir, settings)
        described = _running(data_dir)
        found.extend([described] if described else [])
        return bool(found)

    if not wait_until(is_there, timeout_seconds=_WAIT_SECONDS):
        raise DatabaseUnavailable(f"the embedded servers in {data_dir} did not start in {_WAIT_SECONDS} seconds")
    return found[0]


def _start_keeper(data_dir: Path, settings: Settings) -> None:
    """Start a keeper and wait for its first word. Raises DatabaseUnavailable with its reason."""
    # The keeper must find the same parkflow, wherever it was started from.
    package_parent = str(Path(__file__).parents[2])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([package_parent, os.environ.get("PYTHONPATH", "")])}
    for variable, path in (("PARKFLOW_PG_BIN", settings.pg_bin), ("PARKFLOW_VALKEY_BIN", settings.valkey_bin)):
        environ.pop(variable, None)
        environ.update({variable: str(path)} if path else {})
    with (data_dir / "logs" / "keeper.log").open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "parkflow.servers.keeper", str(data_dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=environ,
            start_new_session=True,
        )
    word = _first_line(keeper)
    if "error" in word:
        keeper.wait()
        raise DatabaseUnavailable(str(word["error"]))
    # It outlives us by design; Python would warn of a child that was not waited for.
    keeper.returncode = 0


def _first_line(keeper: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert keeper.stdout is not None
    with keeper.stdout as pipe:
        readable, _, _ = select.select([pipe], [], [], _WAIT_SECONDS)
        line = pipe.readline() if readable else b""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {"error": "the keeper of the embedded servers ended without a word; see logs/keeper.log"}


def keeper_lives(data_dir: Path) -> bool:
    """Whether a keeper of the data directory runs, starting and stopping included."""
    with locked_file(keeper_lock(data_dir)) as descriptor:
        return not try_lock(descriptor, fcntl.LOCK_SH)


def _running(data_dir: Path) -> dict[str, Any] | None:
    """What the description says, if a keeper stands behind it."""
    if not keeper_lives(data_dir):
        return None
    try:
        described = json.loads(Home(data_dir, data_dir).description.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    # A new keeper may not yet have removed what a killed one left.
    return dict(described) if is_running(described["keeper_pid"]) else None
