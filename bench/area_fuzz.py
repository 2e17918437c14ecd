"""Fuzzing: ten million inputs for the Rust core, guided by coverage, and how many of them broke it."""

import sys
import time

from bench import fuzz
from bench.registry import Figures, area


@area("fuzz")
def measure() -> Figures:
    """Each target its share, from its seeds and with the same luck, so that two runs can be compared."""
    programs = fuzz.build()
    efforts = [
        (target, fuzz.Effort(target.bench_seconds_max, runs=target.bench_runs, seed=1, fresh=True))
        for target in fuzz.TARGETS
    ]
    begun = time.perf_counter()
    found = fuzz.search(programs, efforts)
    seconds = time.perf_counter() - begun
    for one in found:
        if not one.is_clean:
            print(fuzz.line(one, programs), file=sys.stderr)
    executions = sum(one.executions for one in found)
    return {
        "executions": executions,
        "panics": sum(not one.is_clean for one in found),
        "executions_per_s": executions / seconds,
    } | {f"{one.target.name}_per_s": one.executions / one.seconds for one in found}
