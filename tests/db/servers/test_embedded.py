"""Rules of the embedded servers: shared, kept, and never left running for long."""

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from parkflow.kit.errors import DatabaseUnavailable
from parkflow.servers import embedded_servers
from parkflow.servers.child import is_running, wait_until
from parkflow.servers.client import keeper_lives, running_servers
from parkflow.servers.home import Account
from parkflow.settings import Settings
from tests.db.servers.rows import add_row, count_rows
from tests.embedded import keeper_pid, run_apart, stop_keeper, temporary_data_dir

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys
from pathlib import Path
from parkflow.servers import embedded_servers
from parkflow.settings import Settings
from tests.db.servers.rows import add_row, count_rows
from tests.embedded import run_apart
with embedded_servers(Settings(data_dir=Path(sys.argv[1]))) as servers:
    run_apart(add_row(servers.database_dsn))
    print(run_apart(count_rows(servers.database_dsn)), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_data_dir() as folder:
        yield folder


def start_holder(data_dir: Path, python: str = sys.executable, **options: object) -> "subprocess.Popen[str]":
    """A process that uses the servers, adds a row and holds them until its input ends; its first line is the count."""
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [python, "-c", HOLDER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **options,
    )


def first_count(holder: "subprocess.Popen[str]") -> int:
    assert holder.stdout is not None
    return int(holder.stdout.readline())


def answers(dsn: str) -> bool:
    """Whether the server is there and has kept the one row."""
    try:
        return run_apart(count_rows(dsn)) == 1
    except (DatabaseUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        # The last one is how the client tells of a connection that ends while it prepares its query.
        return False


def end(holder: "subprocess.Popen[str]") -> None:
    holder.communicate(timeout=30)


def postmaster_pid(data_dir: Path) -> int:
    cluster = Path(json.loads((data_dir / "servers.json").read_text())["cluster"])
    return int((cluster / "postmaster.pid").read_text().splitlines()[0])


def test_rows_are_kept_over_a_cold_and_a_warm_start(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    for times in (1, 2):
        with embedded_servers(settings) as servers:
            run_apart(add_row(servers.database_dsn))
            assert run_apart(count_rows(servers.database_dsn)) == times
        stop_keeper(data_dir)
        assert running_servers(settings) is None


def test_what_nobody_uses_stops_by_itself(data_dir: Path) -> None:
    with embedded_servers(Settings(data_dir=data_dir)):
        postmaster = postmaster_pid(data_dir)
    assert wait_until(lambda: not keeper_lives(data_dir), timeout_seconds=20)
    assert not is_running(postmaster)
    assert not (data_dir / "servers.json").exists()


def test_processes_that_start_at_once_share_one_server(data_dir: Path) -> None:
    holders = [start_holder(data_dir) for _ in range(4)]
    counts = sorted(first_count(holder) for holder in holders)
    assert counts[-1] == 4
    assert running_servers(Settings(data_dir=data_dir)) is not None
    for holder in holders:
        end(holder)


def test_a_killed_user_leaves_nothing_running_and_its_rows_are_kept(data_dir: Path) -> None:
    holder = start_holder(data_dir)
    assert first_count(holder) == 1
    postmaster = postmaster_pid(data_dir)
    holder.kill()
    end(holder)
    assert wait_until(lambda: not keeper_lives(data_dir), timeout_seconds=20)
    assert not is_running(postmaster)
    with embedded_servers(Settings(data_dir=data_dir)) as servers:
        assert run_apart(count_rows(servers.database_dsn)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_killed_keeper_takes_the_servers_with_it_and_the_next_start_recovers(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    with embedded_servers(settings) as servers:
        run_apart(add_row(servers.database_dsn))
        postmaster, keeper = postmaster_pid(data_dir), keeper_pid(data_dir)
        os.kill(keeper, signal.SIGKILL)
        assert wait_until(lambda: not is_running(keeper), timeout_seconds=20)
        # Another user comes while the old servers may still be stopping.
        with embedded_servers(settings) as again:
            assert run_apart(count_rows(again.database_dsn)) == 1
            assert not is_running(postmaster)


def test_a_user_finds_the_servers_of_the_next_keeper_where_it_knew_them(data_dir: Path) -> None:
    with embedded_servers(Settings(data_dir=data_dir)) as servers:
        run_apart(add_row(servers.database_dsn))
        os.kill(keeper_pid(data_dir), signal.SIGKILL)
        assert wait_until(lambda: answers(servers.database_dsn), timeout_seconds=40)


def test_a_postgres_that_crashed_is_started_again(data_dir: Path) -> None:
    with embedded_servers(Settings(data_dir=data_dir)) as servers:
        run_apart(add_row(servers.database_dsn))
        postmaster = postmaster_pid(data_dir)
        os.kill(postmaster, signal.SIGKILL)
        assert wait_until(lambda: answers(servers.database_dsn), timeout_seconds=40)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_can_run_them_too(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    data_dir.chmod(0o755)
    os.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
    account = Account(nobody.pw_uid, nobody.pw_gid, switch=True)
    # The interpreter of this run may lie where the other user cannot go; then the machine's own of the same version.
    check = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    python = next((each for each in (sys.executable, "/usr/bin/python3") if account.can_run(each, "-c", check)), None)
    if python is None or not account.can_enter(ROOT) or not account.can_enter(Path(pytest.__file__).parents[1]):
        pytest.skip("no interpreter and packages that another user can reach")
    packages = os.pathsep.join([str(ROOT), str(Path(pytest.__file__).parents[1])])
    for times in (1, 2):
        holder = start_holder(data_dir, python, env={"PYTHONPATH": packages}, **account.popen_options())
        assert first_count(holder) == times
        end(holder)
        stop_keeper(data_dir)
    assert (data_dir / "postgres").stat().st_uid == nobody.pw_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers under another account")
def test_a_private_folder_of_root_stays_private(data_dir: Path) -> None:
    private = data_dir / "private"
    private.mkdir(mode=0o700)
    with embedded_servers(Settings(data_dir=private / "home")) as servers:
        run_apart(add_row(servers.database_dsn))
        cluster = Path(json.loads((private / "home" / "servers.json").read_text())["cluster"])
        assert not cluster.is_relative_to(private)
    stop_keeper(private / "home")
    assert private.stat().st_mode & 0o777 == 0o700
    with embedded_servers(Settings(data_dir=private / "home")) as servers:
        assert run_apart(count_rows(servers.database_dsn)) == 1
    stop_keeper(private / "home")
    subprocess.run(["rm", "-rf", str(cluster.parent)], check=True)


def test_a_cluster_of_another_major_version_is_refused(data_dir: Path) -> None:
    with embedded_servers(Settings(data_dir=data_dir)):
        pass
    stop_keeper(data_dir)
    (data_dir / "postgres" / "PG_VERSION").write_text("12\n")
    with (
        pytest.raises(DatabaseUnavailable, match=r"made by Postgres 12.*pg_dump"),
        embedded_servers(Settings(data_dir=data_dir)),
    ):
        pass


def test_a_data_directory_that_cannot_be_made_is_one_clear_line() -> None:
    with (
        pytest.raises(DatabaseUnavailable, match="cannot be used"),
        embedded_servers(Settings(data_dir=Path("/proc/parkflow"))),
    ):
        pass


def test_an_external_database_is_used_as_it_is(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, database_url="postgresql://x@y/z", redis_url="redis://r")
    with embedded_servers(settings) as servers:
        assert servers.database_dsn == "postgresql://x@y/z"
        assert servers.redis_url == "redis://r"
    assert list(data_dir.iterdir()) == []


def test_programs_that_do_not_exist_are_named(data_dir: Path) -> None:
    with (
        pytest.raises(DatabaseUnavailable, match="PARKFLOW_PG_BIN is /nowhere"),
        embedded_servers(Settings(data_dir=data_dir, pg_bin=Path("/nowhere"))),
    ):
        pass
