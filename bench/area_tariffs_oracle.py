"""The tariff engine against a meter that looks at every tick: a million random stays, and no difference."""

import re
import sys
import time

import click

from bench import core_tests
from bench.registry import Figures, area

PAIRS = 1_000_000
# `make test` runs it with fewer pairs.
TEST = "tariff_random::the_engine_agrees_with_the_tick_meter_on_random_tariffs"
COUNTS = re.compile(r"^tariffs (?P<tariffs>\d+) pairs (?P<pairs>\d+) disagreements (?P<disagreements>\d+)$", re.M)


@area("tariffs_oracle")
def measure() -> Figures:
    """Compare on both cores; the table of features goes to the error stream. Fails at any difference."""
    core_tests.build()
    begun = time.perf_counter()
    told = core_tests.run(TEST, {"PARKFLOW_TARIFF_PAIRS": str(PAIRS)})
    seconds = time.perf_counter() - begun
    counts = COUNTS.search(told.stdout)
    if told.returncode or not counts or int(counts["pairs"]) < PAIRS:
        raise click.ClickException(f"the engine and the tick meter differ:\n{told.stdout}{told.stderr}")
    print(told.stdout, file=sys.stderr)
    return {name: float(count) for name, count in counts.groupdict().items()} | {"seconds": seconds}
