"""What the flow tests share: the wheel, and one run of the demo from it in which nobody is killed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flow.demo_process import LIMIT_SECONDS, ROOT, SMALL, environment, figures_of


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def quiet(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures of the demo in small, run from the wheel alone, in a folder without our sources."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "parkflow", *SMALL],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env=environment(PYTHONPATH=str(site)),
    )
    assert done.returncode == 0, done.stderr
    return figures_of(done.stdout)
