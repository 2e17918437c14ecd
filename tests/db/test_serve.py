"""`parkflow serve` as a process: answers, ends cleanly, and says in one line what keeps it from serving."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

WAIT_SECONDS = 30


def environment(dsn: str, data_dir: Path) -> dict[str, str]:
    return os.environ | {"PARKFLOW_DATABASE_URL": dsn, "PARKFLOW_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}


def serve_refused(env: dict[str, str], *arguments: str) -> str:
    """What `parkflow serve` says when it cannot serve; it must be one line and exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "parkflow", "serve", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@contextmanager
def served(env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A serving process and its address."""
    command = [sys.executable, "-m", "parkflow", "serve", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("parkflow serves http://127.0.0.1:"), line
            yield process, line.split()[-1]
        finally:
            if process.poll() is None:
                process.kill()


def test_the_service_answers_and_ends_with_0_after_sigterm(dsn: str, tmp_path: Path) -> None:
    with served(environment(dsn, tmp_path)) as (process, url), httpx.Client(base_url=url) as client:
        assert client.get("/healthz").json() == {"status": "up"}
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/metrics").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_taken_port_is_told_in_one_line(dsn: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = serve_refused(environment(dsn, tmp_path), "--port", str(port))
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said


def test_a_database_that_is_down_is_told_in_one_line_without_its_password(tmp_path: Path) -> None:
    env = environment("postgresql://someone:secret@127.0.0.1:1/parkflow", tmp_path)
    said = serve_refused(env, "--port", "0")
    assert "no database at" in said
    assert "secret" not in said


def test_a_wrong_setting_is_told_in_one_line(dsn: str, tmp_path: Path) -> None:
    said = serve_refused(environment(dsn, tmp_path) | {"PARKFLOW_API_PORT": "many"})
    assert "PARKFLOW_API_PORT" in said
