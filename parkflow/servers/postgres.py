"""The embedded Postgres: make the cluster once, start it, stop it."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import asyncpg

from parkflow.kit.errors import DatabaseUnavailable
from parkflow.servers.binaries import PostgresBinaries
from parkflow.servers.child import Child, end_process, is_running, program_of, wait_until
from parkflow.servers.home import Account, Home

USER: Final = "parkflow"
DATABASE: Final = "parkflow"
# Only the name of the socket; nothing listens on TCP.
PORT: Final = 5432
# Recovery after a crash reads up to max_wal_size; a slow disk needs its time.
START_TIMEOUT_SECONDS: Final = 150
STOP_TIMEOUT_SECONDS: Final = 60

_SETTINGS: Final = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    # To compress the whole pages that follow a checkpoint, for which this build knows pglz alone, was a fifth of the
    # CPU time of a peak and saved a tenth of its log (docs/decisions/0031).
    "wal_compression": "off",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def start_postgres(home: Home, binaries: PostgresBinaries, account: Account, socket_dir: Path) -> Child:
    """Start the cluster of `home`, made now if need be, and wait until it answers. Raises DatabaseUnavailable."""
    _end_orphan(home)
    for stale in socket_dir.glob(".s.PGSQL.*"):
        stale.unlink()
    if not home.cluster.exists():
        _make_cluster(home, binaries, account, socket_dir)
    _check_version(home, binaries)
    settings = dict(_SETTINGS)
    if binaries.complete:
        settings["shared_preload_libraries"] = "pg_stat_statements"
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = home.logs / "postgres.log"
    child = Child(
        [binaries.folder / "postgres", "-D", home.cluster, "-k", socket_dir, "-h", "", "-p", str(PORT), *options],
        account=account,
        log=log,
        # Postgres: SIGINT is the fast shutdown, which rolls back what is open and checkpoints.
        stop_signal=signal.SIGINT,
    )
    dsn = dsn_of(home, socket_dir, "postgres")
    answers = wait_until(lambda: child.has_ended() or _answers(dsn), timeout_seconds=START_TIMEOUT_SECONDS)
    if child.has_ended() or not answers:
        child.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)
        raise DatabaseUnavailable(f"Postgres did not start: {_last_line(log)} (log: {log})")
    asyncio.run(_create_database(dsn))
    return child


def dsn_of(home: Home, socket_dir: Path, database: str = DATABASE) -> str:
    """The address of the embedded server, in the form that asyncpg and libpq both read."""
    password = quote(home.password.read_text(encoding="ascii").strip(), safe="")
    return f"postgresql://{USER}:{password}@/{database}?{urlencode({'host': str(socket_dir), 'port': PORT})}"


def _make_cluster(home: Home, binaries: PostgresBinaries, account: Account, socket_dir: Path) -> None:
    if not home.password.exists():
        home.password.touch(mode=0o600)
        home.password.write_text(secrets.token_urlsafe(32), encoding="ascii")
    # initdb reads the password under the server's account, which cannot read ours.
    password_copy = socket_dir / "initial.password"
    password_copy.touch(mode=0o600)
    password_copy.write_text(home.password.read_text(encoding="ascii"), encoding="ascii")
    account.give(password_copy)
    # Made under another name: a start that is cut off leaves no half cluster behind.
    draft = home.cluster.with_name("postgres.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    account.give(draft)
    # Postgres's own C.UTF-8 sorts alike on every machine, whatever its C library; before 17 there was none.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    if binaries.major < 17:
        locale = ["--locale=C.UTF-8"]
    command = [str(binaries.folder / "initdb"), "-D", str(draft), "-U", USER, f"--pwfile={password_copy}"]
    command += ["-A", "scram-sha-256", "-E", "UTF8", *locale, "--data-checksums"]
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            command,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
            **account.popen_options(),
        )
    finally:
        password_copy.unlink()
    if done.returncode != 0:
        reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise DatabaseUnavailable(f"initdb could not make a cluster in {home.cluster}: {reason}")
    draft.rename(home.cluster)


def _check_version(home: Home, binaries: PostgresBinaries) -> None:
    version_file = home.cluster / "PG_VERSION"
    major = version_file.read_text(encoding="ascii").strip() if version_file.exists() else "no version"
    if major != str(binaries.major):
        raise DatabaseUnavailable(
            f"{home.cluster} was made by Postgres {major}, this is {binaries.major}: "
            "dump it with the old pg_dump, move it away, start, and restore with pg_restore"
        )


def _end_orphan(home: Home) -> None:
    """A postmaster whose keeper was killed may still be stopping (or, without death signals, running)."""
    try:
        lines = (home.cluster / "postmaster.pid").read_text(encoding="ascii", errors="replace").splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return
    if not is_running(pid) or "postgres" not in program_of(pid):
        return
    if not end_process(pid, signal.SIGINT, signal.SIGQUIT, timeout_seconds=STOP_TIMEOUT_SECONDS):
        raise DatabaseUnavailable(f"an older Postgres (process {pid}) still runs in {home.cluster} and does not stop")


def _answers(dsn: str) -> bool:
    return asyncio.run(_can_log_in(dsn))


async def _can_log_in(dsn: str) -> bool:
    try:
        conn = await asyncpg.connect(dsn, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    await conn.close()
    return True


async def _create_database(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(f"create database {DATABASE}")
    except asyncpg.DuplicateDatabaseError:
        pass
    finally:
        await conn.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return next((line for line in reversed(lines) if "FATAL" in line or "ERROR" in line), lines[-1] if lines else "?")
