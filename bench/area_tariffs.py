"""Tariffs: how many stays are priced in a second."""

import random
from functools import partial
from importlib.resources import files

from bench.registry import Figures, area, per_second
from parkflow import core

STAYS = 100_000
FIRST_ENTRY_S = 1_508_457_600
LIBRARY = files("parkflow.tariff") / "library"


@area("tariffs")
def measure() -> Figures:
    """Stays of one minute to two days, entries spread over a year, under a simple and a day-and-night tariff."""
    chance = random.Random(7)
    entry_s = [FIRST_ENTRY_S + chance.randrange(365 * 86_400) for _ in range(STAYS)]
    exit_s = [entry + chance.randrange(60, 2 * 86_400) for entry in entry_s]
    figures: Figures = {}
    for name, file in (
        ("simple", "us-charlottesville-2017"),
        ("beijing", "cn-beijing-1"),
        ("hangzhou", "cn-hangzhou-core"),
    ):
        tariff = core.Tariff.load((LIBRARY / f"{file}.yaml").read_text(encoding="utf-8"))
        price = partial(tariff.price_batch, entry_s, exit_s, vehicle_class="car")
        figures[f"{name}_stays_per_s"] = per_second(price, items=STAYS, rounds=3)
    return figures
