"""Apply: scans that wait become stays with fees and charges."""

from bench.apply_speed import measure_apply
from bench.registry import Figures, area


@area("apply")
def measure() -> Figures:
    """A worker and its Postgres on the machine's cores, beside whatever else runs there."""
    return measure_apply()
