"""The wheel is complete: from it alone, without the source tree, the demo runs."""

from pathlib import Path
from typing import Any

import pytest

# Whichever flow test comes first waits for the build.
pytestmark = pytest.mark.timeout(600)


def test_the_wheel_holds_the_service_the_simulation_and_the_demo_day(site: Path) -> None:
    for name in (
        "parkflow/_core.abi3.so",
        "parkflow/db/migrations/0002_domains.sql",
        "parkflow/tariff/library/us-charlottesville-2017.yaml",
        "gate_sim/data/charlottesville_2017-10-20.csv",
        "gate_sim/channel/schema.sql",
    ):
        assert (site / name).is_file(), f"{name} is missing"
    assert {path.name for path in site.iterdir()} >= {"parkflow", "gate_sim"}
    assert not (site / "tests").exists()


def test_the_demo_runs_from_the_wheel_alone(quiet: dict[str, Any]) -> None:
    assert quiet["stays"] == 40
