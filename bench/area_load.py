"""Load: the folded peak day through the whole service, with gates' uploads and polls and drivers' looks mixed."""

from typing import Final

from bench.load import peak
from bench.load.agenda import Rhythm
from bench.load.folded import exit_times
from bench.load.town import TownSize
from bench.registry import Figures, area

# The whole day in so much time: 227 exits a second at most times, and 2,388 in one second at the end.
SECONDS: Final = 90.0
SIZE: Final = TownSize(operators=4, lots=100, cards_per_operator=6_000)


@area("load")
def measure() -> Figures:
    """Open-loop; times count from when a request was due. The table and the report tell the rest: docs/load.md."""
    times = exit_times(seconds=SECONDS, seed=peak.SEED)
    outcome = peak.run(peak.Peak("peak-day", SIZE, times, SECONDS, Rhythm()))
    every, upload = outcome.lines["Aggregated"], outcome.lines["upload scans"]
    return {
        "requests_per_s": every.per_second,
        "p50_ms": every.p50_ms,
        "p99_ms": every.p99_ms,
        "upload_p99_ms": upload.p99_ms,
        "quote_p99_ms": outcome.lines["driver: quote"].p99_ms,
        "refused": float(outcome.refused),
    }
