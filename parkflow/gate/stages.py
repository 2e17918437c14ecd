"""How long the stages of taking uploads in take, for Prometheus: what is tuned, and what alarms look at."""

from typing import Final

from prometheus_client import Counter, Histogram

PARSE: Final = "parse"
WAIT: Final = "wait"
LOOK_UP: Final = "look_up"
VERIFY: Final = "verify"
INSERT: Final = "insert"
COMMIT: Final = "commit"
ANSWER: Final = "answer"

STAGE_SECONDS: Final = Histogram(
    "parkflow_ingest_stage_seconds",
    "Time of one stage: parse, wait and answer of one upload; look_up, verify, insert and commit of one flush.",
    ["stage"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
FLUSH_SCANS: Final = Histogram(
    "parkflow_ingest_flush_scans",
    "Scans kept in one transaction.",
    buckets=(1, 10, 50, 100, 250, 500, 1000, 2000, 4000, 8000),
)
QUARANTINED: Final = Counter("parkflow_gates_quarantined_total", "Gates whose word stopped counting.", ["reason"])
_SECOND_NS: Final = 1_000_000_000


def note(stage: str, duration_ns: int) -> None:
    """One stage took so long."""
    STAGE_SECONDS.labels(stage).observe(duration_ns / _SECOND_NS)
