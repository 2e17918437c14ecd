"""Wrong input gives one clear line and exit code 2, never a traceback."""

import socket
from pathlib import Path

import pytest

from tests.flow.demo_process import run

HEADER = "stay_id,lot_id,vehicle_ref,entry_at,exit_at,charged_cents\n"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["demo", "--lot", "MOON"], "there is no lot 'MOON'; the day has MS01,"),
        (["demo", "--stays", "3"], "at least 30 stays"),
        (["demo", "--day", "{folder}/empty.csv"], "holds no stays"),
        (["demo", "--day", "{folder}/broken.csv"], "broken.csv, line 2: "),
        (["demo", "--tariff", "{folder}/broken.yaml"], "broken.yaml: "),
        (["code", "verify", "PF1:not a code", "--key", "1:" + "00" * 32], "this is not a code"),
    ],
)
def test_wrong_input_is_said_in_one_line(tmp_path: Path, arguments: list[str], wanted: str) -> None:
    (tmp_path / "empty.csv").write_text(HEADER)
    (tmp_path / "broken.csv").write_text(HEADER + "1,L,v,noon,later,5\n")
    (tmp_path / "broken.yaml").write_text("ptl: 1\nid: broken\nprice: cheap\n")
    done = run(*(argument.replace("{folder}", str(tmp_path)) for argument in arguments))
    _is_one_line(done.returncode, done.stderr, wanted)


@pytest.mark.parametrize("arguments", [["demo"], ["serve"], ["worker"], ["migrate"]])
def test_a_database_that_is_down_is_said_in_one_line(arguments: list[str]) -> None:
    done = run(*arguments, variables={"PARKFLOW_DATABASE_URL": "postgresql://someone:secret@127.0.0.1:1/nothing"})
    _is_one_line(done.returncode, done.stderr, "no database at postgresql://someone:***@127.0.0.1:1/nothing")


@pytest.mark.parametrize("arguments", [["demo", "--port"], ["serve", "--port"]])
def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    tmp_path.chmod(0o755)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(*arguments, str(taken.getsockname()[1]), variables={"PARKFLOW_DATA_DIR": str(tmp_path)})
    _is_one_line(done.returncode, done.stderr, "choose another port with --port")


def _is_one_line(exit_code: int, stderr: str, wanted: str) -> None:
    assert exit_code == 2, stderr
    assert wanted in stderr
    assert "Traceback" not in stderr
    assert len(stderr.strip().splitlines()) == 1
