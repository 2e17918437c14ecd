"""An exit with 100 cars: the published comparison, and the same cars with codes at the decision time measured now."""

from bench.registry import Figures, area
from gate_sim.exit_decision import decision_p99_us
from gate_sim.exit_lane import SECOND_US, Outcome, at_once, cars_of, kiosk, manual, simulate, with_codes
from gate_sim.seed import Seed

CARS = 100
SEED = 1
# As many as `codes.gate_decision_p99_us` is measured with.
DECISIONS = 2_000
DENIED = 1_000_000


@area("queue")
def measure() -> Figures:
    """One lane, all cars there at once: when the last one is gone, and the mean and the p95 of the waits."""
    decision_us = decision_p99_us(DECISIONS, DENIED)
    ways = (manual(), kiosk(), with_codes(decision_us))
    outcomes = {way.name: simulate(cars_of(at_once(CARS), way, Seed(SEED).dice(way.name)), lanes=1) for way in ways}
    return {"decision_p99_us": decision_us} | {
        f"cars100_{name}_{figure}": value for name, outcome in outcomes.items() for figure, value in _figures(outcome)
    }


def _figures(outcome: Outcome) -> list[tuple[str, float]]:
    return [
        ("s", outcome.total_us / SECOND_US),
        ("wait_mean_s", outcome.wait_mean_us / SECOND_US),
        ("wait_p95_s", outcome.wait_p95_us / SECOND_US),
    ]
