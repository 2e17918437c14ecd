"""The tariff engine against a meter that looks at every tick: a million random stays, and no difference."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click

from bench.registry import Figures, area

ROOT = Path(__file__).parents[1]
PAIRS = 1_000_000
# The test of the comparison, which `cargo test` runs with fewer pairs. The profile is fast code with every check.
COMMAND = (
    "cargo", "test", "--locked", "--quiet", "--profile=fuzz", "--package=parkflow-core", "--test=tariff_random",
)  # fmt: skip
TEST = "the_engine_agrees_with_the_tick_meter_on_random_tariffs"
COUNTS = re.compile(r"^tariffs (?P<tariffs>\d+) pairs (?P<pairs>\d+) disagreements (?P<disagreements>\d+)$", re.M)


@area("tariffs_oracle")
def measure() -> Figures:
    """Compare on both cores; the table of features goes to the error stream. Fails at any difference."""
    _run("--no-run")
    begun = time.perf_counter()
    told = _run("--", TEST, "--exact", "--nocapture")
    seconds = time.perf_counter() - begun
    counts = COUNTS.search(told.stdout)
    if told.returncode or not counts or int(counts["pairs"]) < PAIRS:
        raise click.ClickException(f"the engine and the tick meter differ:\n{told.stdout}{told.stderr}")
    print(told.stdout, file=sys.stderr)
    return {name: float(count) for name, count in counts.groupdict().items()} | {"seconds": seconds}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PARKFLOW_TARIFF_PAIRS": str(PAIRS)}
    ran = subprocess.run([*COMMAND, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode and "--no-run" in arguments:
        raise click.ClickException(f"the comparison does not build:\n{ran.stderr}")
    return ran
