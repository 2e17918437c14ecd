"""Rules of the command line: readable help, exit codes 0, 1 and 2, one clear line for what is refused."""

import os
import subprocess
import sys
from pathlib import Path

from parkflow.servers import Servers
from tests.embedded import temporary_data_dir

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "parkflow", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environ},
    )


def assert_refused(done: "subprocess.CompletedProcess[str]", words: str) -> None:
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert {"migrate", "servers"} <= set(done.stdout.split())


def test_an_unknown_command_is_wrong_use() -> None:
    done = run("fly")
    assert done.returncode == 2
    assert "No such command 'fly'" in done.stderr


def test_an_unreachable_database_is_one_line() -> None:
    done = run("migrate", PARKFLOW_DATABASE_URL="postgresql://u:secret@127.0.0.1:1/x")
    assert_refused(done, "no database at postgresql://u:***@127.0.0.1:1/x")


def test_a_wrong_setting_is_one_line() -> None:
    assert_refused(run("migrate", PARKFLOW_API_PORT="many"), "PARKFLOW_API_PORT")


def test_migrate_says_what_it_did(dsn: str) -> None:
    done = run("migrate", PARKFLOW_DATABASE_URL=dsn)
    assert (done.returncode, done.stdout) == (0, "schema is up to date (0 applied now)\n")


def test_status_tells_whether_servers_run(servers: Servers) -> None:
    with temporary_data_dir() as data_dir:
        done = run("servers", "status", PARKFLOW_DATA_DIR=str(data_dir))
        assert done.returncode == 1
        assert "nothing runs" in done.stdout
    done = run("servers", "status", PARKFLOW_DATABASE_URL=servers.database_dsn)
    assert done.returncode == 0
    assert "external database" in done.stdout
    assert ":***@" in done.stdout
