"""The demo in small: a morning of the real day with everything that goes wrong on it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate_sim.clock import VirtualClock
from tests.embedded import temporary_data_dir
from tests.flow.demo_process import LIMIT_SECONDS, SMALL, command, environment, figures_of

# The first one waits for the wheel.
pytestmark = pytest.mark.timeout(LIMIT_SECONDS + 600)
HAPPENS = (
    "scans_duplicate",
    "scans_replayed",
    "scans_offline",
    "scans_after_cutoff",
    "attempts_declined",
    "attempts_unknown_seen",
    "cards_frozen",
    "issue_refused_in_arrears",
    "denied_at_gate",
    "repaid_minor",
    "returns_completed",
    "returns_blocked",
    "deposits_refunded_minor",
)
MUST_BE_NOTHING = (
    "ledger_imbalance_minor",
    "book_difference_minor",
    "invariant_violations",
    "attempts_unknown_left",
    "stays_unexplained",
    "scans_left_in_gates",
    "bills_broken",
)

# How the run went, not how it ended: a gate sends again what a killed API did not acknowledge, and an attempt whose
# worker is killed is asked about by the next one whether or not the channel's answer would have been clear.
ON_THE_WAY = {"elapsed_s", "scans_accepted", "scans_duplicate", "attempts_unknown_seen"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory for one run."""
    with temporary_data_dir() as data_dir:
        yield data_dir


def test_everything_that_goes_wrong_on_the_day_is_visible(quiet: dict[str, Any]) -> None:
    assert {name: quiet[name] for name in HAPPENS if not quiet[name]} == {}


def test_the_books_agree_in_the_end(quiet: dict[str, Any]) -> None:
    assert {name: quiet[name] for name in MUST_BE_NOTHING} == dict.fromkeys(MUST_BE_NOTHING, 0)
    assert quiet["stays"] == 40
    assert quiet["stays_priced"] + quiet["stays_explained"] == 40
    assert quiet["charged_minor"] == quiet["paid_minor"] + quiet["arrears_minor"] + quiet["due_minor"]


def test_four_days_are_closed_one_card_comes_back_two_are_held(quiet: dict[str, Any]) -> None:
    assert (quiet["days_closed"], quiet["returns_completed"], quiet["returns_blocked"]) == (4, 1, 2)
    assert quiet["deposits_refunded_minor"] == 2_000


def test_a_run_with_api_and_worker_killed_ends_with_the_same_figures(quiet: dict[str, Any], folder: Path) -> None:
    with subprocess.Popen(
        command(*SMALL, f"--data-dir={folder}"), stdout=subprocess.PIPE, text=True, env=environment()
    ) as demo:
        try:
            for hour, names in ((14, ["worker"]), (15, ["api"]), (17, ["worker", "api"])):
                _wait_for(folder, datetime(2017, 10, 20, hour, tzinfo=UTC))
                for name in names:
                    _kill(folder, name)
            output, _ = demo.communicate(timeout=LIMIT_SECONDS)
        finally:
            demo.terminate()
    assert demo.returncode == 0
    killed = figures_of(output)
    assert {name: killed[name] for name in quiet.keys() - ON_THE_WAY} == {
        name: quiet[name] for name in quiet.keys() - ON_THE_WAY
    }
    # Killed after its commit and before its answer, the API calls a scan a duplicate that it had taken.
    assert _taken(killed) == _taken(quiet)


def test_nothing_of_it_runs_on_when_the_demo_is_killed(folder: Path) -> None:
    with subprocess.Popen(
        command(*SMALL, f"--data-dir={folder}"), stdout=subprocess.DEVNULL, env=environment()
    ) as demo:
        _wait_for(folder, datetime(2017, 10, 20, 10, 31, tzinfo=UTC))
        ids = [int(line.split()[1]) for line in (folder / "processes").read_text().splitlines()]
        demo.kill()
    assert len(ids) == 3
    _until(lambda: not any(_runs(pid) for pid in ids))


def _taken(figures: dict[str, Any]) -> int:
    return int(figures["scans_accepted"] + figures["scans_duplicate"])


def _wait_for(folder: Path, instant: datetime) -> None:
    """Until the demo's clock has come to `instant`."""
    _until((folder / "clock").exists)
    clock = VirtualClock(folder / "clock")
    _until(lambda: clock.now() >= instant)


def _kill(folder: Path, name: str) -> None:
    ids = dict(line.split() for line in (folder / "processes").read_text().splitlines())
    os.kill(int(ids[name]), signal.SIGKILL)


def _runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.02)
