"""`gate-sim queue`: the same cars leave three ways, as a table, as JSON and as a picture."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from gate_sim.exit_decision import decision_p99_us
from gate_sim.exit_lane import (
    PUBLISHED_KIOSK_PAYING_PERCENT,
    PUBLISHED_PAYING_PERCENT,
    SECOND_US,
    Outcome,
    Way,
    at_once,
    cars_of,
    folded,
    kiosk,
    manual,
    poisson,
    simulate,
    with_codes,
)
from gate_sim.exit_lane_plot import draw, duration
from gate_sim.seed import Seed

_CARS_MAX: Final = 10_000
_PERCENT: Final = click.IntRange(0, 100)
_ARRIVALS: Final = ("at-once", "poisson", "folded")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which cars come when, who of them pays at the barrier, and how many lanes there are."""

    cars: int
    paying: int
    kiosk_paying: int
    without_code: int
    lanes: int
    arrivals: str
    per_hour: int
    seed: int

    @property
    def title(self) -> str:
        """For the picture."""
        came = {"at-once": "all there at once", "poisson": f"{self.per_hour} an hour", "folded": "as on the demo day"}
        return f"{self.cars} cars, {self.lanes} {'lane' if self.lanes == 1 else 'lanes'}, {came[self.arrivals]}"

    def outcomes(self, decision_us: int) -> dict[Way, Outcome]:
        """The same arrivals for each way. Raises ValueError when the demo day has not so many cars."""
        came_us = self._arrivals_us()
        ways = (manual(self.paying), kiosk(self.kiosk_paying), with_codes(decision_us, self.without_code))
        dice = Seed(self.seed).dice
        return {way: simulate(cars_of(came_us, way, dice("services", way.name)), self.lanes) for way in ways}

    def _arrivals_us(self) -> list[int]:
        dice = Seed(self.seed).dice("arrivals")
        if self.arrivals == "poisson":
            return poisson(self.cars, self.per_hour, dice)
        return folded(self.cars, dice) if self.arrivals == "folded" else at_once(self.cars)


@click.command()
@click.option("--cars", type=click.IntRange(1, _CARS_MAX), default=100, show_default=True)
@click.option("--paying", type=_PERCENT, default=PUBLISHED_PAYING_PERCENT, show_default=True,
              help="Percent who pay at the barrier where nothing else is offered.")  # fmt: skip
@click.option("--kiosk-paying", type=_PERCENT, default=PUBLISHED_KIOSK_PAYING_PERCENT, show_default=True,
              help="Percent who still do where a machine takes the money before.")  # fmt: skip
@click.option("--without-code", type=_PERCENT, default=0, show_default=True,
              help="Percent who have no code where codes are shown, and pay at the barrier.")  # fmt: skip
@click.option("--lanes", type=click.IntRange(1, 20), default=1, show_default=True)
@click.option("--arrivals", type=click.Choice(_ARRIVALS), default="at-once", show_default=True,
              help="folded: the last exits of the demo day, all lots over one exit.")  # fmt: skip
@click.option("--per-hour", type=click.IntRange(1), default=300, show_default=True, help="For poisson.")
@click.option("--decision-us", type=click.IntRange(0), default=None,
              help="Microseconds of a gate's decision; measured here and now (p99) if left out.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Decides who stands where in the file.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), default=None, help="Draw the queues to a file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def queue(*, decision_us: int | None, svg: Path | None, as_json: bool, **scene: Any) -> None:
    """Let cars leave a car park: paying at the barrier, at a machine before, or showing a QR code.

    Without options this is the published comparison, 100 cars at one lane: 3,250 s and 1,600 s; and the same cars with
    codes.
    """
    asked = Asked(**scene)
    taken_us = decision_p99_us() if decision_us is None else decision_us
    try:
        outcomes = asked.outcomes(taken_us)
        if svg is not None:
            draw(outcomes, title=asked.title, out=svg)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        figures = {way.name: _figures(outcome) for way, outcome in outcomes.items()}
        click.echo(json.dumps({"decision_us": taken_us} | figures))
    else:
        click.echo("\n".join(_rows(outcomes, taken_us)))


def _figures(outcome: Outcome) -> dict[str, float]:
    return {
        "total_s": outcome.total_us / SECOND_US,
        "wait_mean_s": outcome.wait_mean_us / SECOND_US,
        "wait_p95_s": outcome.wait_p95_us / SECOND_US,
        "longest_cars": outcome.longest,
    }


def _rows(outcomes: dict[Way, Outcome], taken_us: int) -> list[str]:
    head = f"{'':<24} {'all gone after':>16} {'mean wait':>14} {'p95 wait':>14} {'most at once':>13}"
    rows = [
        f"{way.title:<24} {duration(outcome.total_us):>16} {duration(outcome.wait_mean_us):>14}"
        f" {duration(outcome.wait_p95_us):>14} {outcome.longest:>13}"
        for way, outcome in outcomes.items()
    ]
    return [head, *rows, f"A gate decides about a code in {taken_us:,} µs (99 of 100 decisions)."]
