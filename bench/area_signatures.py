"""A batch's verdicts against the single check's: every published and crafted vector under a thousand seeds."""

import re
import time

import click

from bench import core_tests
from bench.registry import Figures, area

SEEDS = 1_000
# `make test` runs them with fewer seeds.
TESTS = "batch_is_single::"
PASSED = re.compile(r"^test result: ok\. (\d+) passed", re.M)


@area("signatures")
def measure() -> Figures:
    """Each seed gives the batch other coefficients: a verdict that needs luck shows itself. Fails at any difference."""
    core_tests.build()
    begun = time.perf_counter()
    told = core_tests.run(TESTS, {"PARKFLOW_BATCH_SEEDS": str(SEEDS)})
    seconds = time.perf_counter() - begun
    passed = PASSED.search(told.stdout)
    if told.returncode or not passed or not int(passed[1]):
        raise click.ClickException(f"a batch answers otherwise than the single check:\n{told.stdout}{told.stderr}")
    return {"batch_seeds": SEEDS, "seconds": seconds}
