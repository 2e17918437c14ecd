"""The wheel is complete: from it alone, without the source tree, the demo runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.demo_process import LIMIT_SECONDS, ROOT, environment, figures_of

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel and nothing else of ours."""
    folder = tmp_path_factory.mktemp("wheel")
    maturin = Path(sys.executable).with_name("maturin")
    build = [str(maturin), "build", "--release", "--locked", "--interpreter", sys.executable, "--out", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("parkflow-*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(folder / "site"), str(wheel)], cwd=folder, check=True, capture_output=True)
    return folder / "site"


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


def test_the_demo_runs_from_the_wheel_alone(site: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "parkflow", "demo", "--stays=30", "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(site)),
    )
    assert done.returncode == 0, done.stderr
    assert figures_of(done.stdout)["stays"] == 30
