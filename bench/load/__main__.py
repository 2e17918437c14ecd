"""`python -m bench.load`: a peak of exits by Locust, or a short course of the ingest's figures while tuning."""

from dataclasses import replace

import click

from bench.area_ingest import FULL, run
from bench.load import peak
from bench.load.agenda import Rhythm
from bench.load.folded import exit_times, steady_times
from bench.load.town import TownSize

_LOTS = 100
_OPERATORS = 4
# A short course has scans for a service that is as fast as this.
_FASTEST_PER_S = 12_000
_CLOSED_S = 5


@click.group()
def main() -> None:
    """Load for a service of its own: servers, API and worker are started for it and are gone afterwards."""


@main.command()
@click.option("--seconds", default=90.0, show_default=True, help="Length of the whole folded day.")
@click.option("--share", default=1.0, show_default=True, help="Which part of the 20,422 exits.")
@click.option("--looking", default=0.25, show_default=True, help="Which part of drivers looks at the phone.")
def day(seconds: float, share: float, looking: float) -> None:
    """The folded peak day, with 2,388 exits in the second 20:00:00."""
    times = exit_times(seconds=seconds, seed=peak.SEED, share=share)
    _run("peak-day", times, seconds, looking)


@main.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long.")
@click.option("--exits-per-s", default=100.0, show_default=True, help="Cars that leave in a second.")
@click.option("--looking", default=0.25, show_default=True, help="Which part of drivers looks at the phone.")
def steady(seconds: float, exits_per_s: float, looking: float) -> None:
    """As many exits in every second."""
    times = steady_times(per_second=exits_per_s, seconds=seconds, seed=peak.SEED)
    _run("steady", times, seconds, looking)


@main.command()
@click.option("--seconds", default=15.0, show_default=True, help="How long the open loop lasts.")
@click.option("--lots", default=20, show_default=True, help="Lots, each with two gates.")
@click.option("--worker/--no-worker", default=True, show_default=True, help="Whether stays are made meanwhile.")
def ingest(seconds: float, lots: int, worker: bool) -> None:
    """The course of `make bench ONLY=ingest` in small, to look at the cost by process and stage."""
    course = replace(
        FULL,
        size=TownSize(operators=2, lots=lots, cards_per_operator=300 * lots),
        batches_per_gate=int(_FASTEST_PER_S * (_CLOSED_S + seconds)) // (2 * lots * FULL.batch_scans) + 2,
        closed_seconds=_CLOSED_S,
        open_seconds=seconds,
        offline_lots=lots // 2,
        offline_batches=3,
        offline_batch_scans=1_000,
        pgbench_seconds=3,
        bare_batches=80,
        with_worker=worker,
    )
    for name, value in run(course).items():
        click.echo(f"{name} {value:,.2f}")


def _run(name: str, times: list[float], seconds: float, looking: float) -> None:
    cards = -(-len(times) // _OPERATORS) + len(times) // 10
    size = TownSize(_OPERATORS, _LOTS, cards)
    peak.run(peak.Peak(name, size, times, seconds, Rhythm(looking=looking)))


if __name__ == "__main__":
    main()
