"""The keeper: a small detached process that owns the embedded servers for as long as any parkflow process uses them.

`python -m parkflow.servers.keeper DATA_DIR` takes the keeper's lock (a second keeper ends at once), starts the servers,
writes `servers.json`, says `{"ready": true}` or `{"error": …}` on its standard output, and watches `users.lock`: nobody
holds it for two seconds, and it takes the lock itself, so that no one can come in between, and stops everything.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from parkflow.kit.clock import SystemClock
from parkflow.kit.errors import DatabaseUnavailable, ParkflowError
from parkflow.servers.binaries import PostgresBinaries, find_postgres, find_valkey
from parkflow.servers.child import Child, wait_until
from parkflow.servers.home import (
    Account,
    Home,
    choose_account,
    find_home,
    keeper_lock,
    locked_file,
    try_lock,
    users_lock,
)
from parkflow.servers.postgres import DATABASE, PORT, USER, start_postgres
from parkflow.servers.postgres import STOP_TIMEOUT_SECONDS as POSTGRES_STOP_SECONDS
from parkflow.servers.valkey import STOP_TIMEOUT_SECONDS as VALKEY_STOP_SECONDS
from parkflow.servers.valkey import socket_path, start_valkey

UNUSED_SECONDS: Final = 2
RESTARTS_MAX: Final = 5
_WATCH_SECONDS: Final = 0.2


class Keeper:
    """The servers of one data directory while they run."""

    def __init__(self, data_dir: Path, *, pg_bin: Path | None, valkey_bin: Path | None) -> None:
        self._account: Account = choose_account()
        self.home: Home = find_home(data_dir, self._account)
        # What a killed keeper described is gone.
        self.home.description.unlink(missing_ok=True)
        self._binaries: PostgresBinaries = find_postgres(pg_bin, self._account)
        self._valkey_program = find_valkey(valkey_bin, self._account)
        self._socket_dir = _socket_dir_of(self.home, self._account)
        self._restarts = 0
        self._valkey: Child | None = None
        self._postgres = self._start_postgres()

    def start_rest(self) -> None:
        """Start Valkey if it can run here, and describe what runs to the users."""
        if self._valkey_program is not None:
            self._valkey = start_valkey(self.home, self._valkey_program, self._account, self._socket_dir)
        self._describe()

    def look_after(self) -> None:
        """Start again what has ended by itself. Raises DatabaseUnavailable when Postgres does not come back."""
        if self._postgres.has_ended():
            self._restarts += 1
            if self._restarts > RESTARTS_MAX:
                raise SystemExit(f"Postgres ended {self._restarts} times; see {self.home.logs}")
            self._postgres = self._start_postgres()
        if self._valkey is not None and self._valkey.has_ended():
            # It holds nothing that may not vanish; its users fall back to Postgres until a new start.
            self._valkey = None
            self._describe()

    def stop(self) -> None:
        """Stop both servers in order and remove what describes them."""
        self.home.description.unlink(missing_ok=True)
        if self._valkey is not None:
            self._valkey.stop(timeout_seconds=VALKEY_STOP_SECONDS)
        self._postgres.stop(timeout_seconds=POSTGRES_STOP_SECONDS)
        shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _start_postgres(self) -> Child:
        try:
            return start_postgres(self.home, self._binaries, self._account, self._socket_dir)
        except BaseException:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            raise

    def _describe(self) -> None:
        described = {
            "keeper_pid": os.getpid(),
            "socket_dir": str(self._socket_dir),
            "port": PORT,
            "user": USER,
            "database": DATABASE,
            "password_file": str(self.home.password),
            "cluster": str(self.home.cluster),
            "valkey_socket": str(socket_path(self._socket_dir)) if self._valkey else None,
        }
        draft = self.home.description.with_suffix(f".{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(described, indent=1), encoding="utf-8")
        draft.rename(self.home.description)


def main() -> int:
    """Keep the servers of the data directory named on the command line; returns the exit code."""
    data_dir = Path(sys.argv[1])
    with locked_file(keeper_lock(data_dir)) as keeper_descriptor:
        # A user looks whether the lock is free by taking it for an instant; that is not another keeper.
        if not wait_until(lambda: try_lock(keeper_descriptor, fcntl.LOCK_EX), timeout_seconds=2):
            _report({"ready": True})
            return 0
        stopping = _stop_requests()
        try:
            keeper = Keeper(
                data_dir, pg_bin=_path_from("PARKFLOW_PG_BIN"), valkey_bin=_path_from("PARKFLOW_VALKEY_BIN")
            )
        except ParkflowError as error:
            _report({"error": error.message})
            return 2
        except Exception as error:
            traceback.print_exc()
            _report({"error": f"the embedded servers did not start: {error!r}; see {data_dir}/logs/keeper.log"})
            return 2
        with locked_file(users_lock(data_dir)) as users_descriptor:
            try:
                keeper.start_rest()
                _report({"ready": True})
                _watch(keeper, users_descriptor, stopping)
            finally:
                keeper.stop()
    return 0


def _watch(keeper: Keeper, users_descriptor: int, stopping: Callable[[], bool]) -> None:
    """Return when nobody has used the servers for UNUSED_SECONDS, then holding `users.lock`, or when asked to stop."""
    clock = SystemClock()
    used_ns = clock.monotonic_ns()
    while not stopping():
        keeper.look_after()
        if not try_lock(users_descriptor, fcntl.LOCK_EX):
            used_ns = clock.monotonic_ns()
        elif clock.monotonic_ns() - used_ns > UNUSED_SECONDS * 1_000_000_000:
            return
        else:
            fcntl.flock(users_descriptor, fcntl.LOCK_UN)
        time.sleep(_WATCH_SECONDS)


def _stop_requests() -> Callable[[], bool]:
    """Take SIGTERM as a request to stop; hang-ups and interrupts of the terminal are not ours."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return lambda: bool(asked)


def _socket_dir_of(home: Home, account: Account) -> Path:
    """The folder of the sockets: short, since a socket's path has at most 107 bytes, and the same at each start.

    The same, so that a user whose keeper was killed finds the servers of the next one where it knew them. /tmp is
    everybody's: the name is random, and a folder that is not our account's is not used.
    """
    mark = home.data_dir / "socket.mark"
    for _ in range(2):
        if not mark.exists():
            mark.write_text(secrets.token_hex(5), encoding="ascii")
        socket_dir = Path("/tmp") / f"parkflow-{mark.read_text(encoding='ascii').strip()}"
        with contextlib.suppress(FileExistsError):
            socket_dir.mkdir(mode=0o700)
            account.give(socket_dir)
        status = socket_dir.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == account.uid:
            return socket_dir
        mark.unlink()
    raise DatabaseUnavailable(f"{socket_dir} belongs to somebody else; remove it")


def _path_from(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None


def _report(answer: dict[str, object]) -> None:
    """Tell the process that started us, if it still listens, and let go of the pipe."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
