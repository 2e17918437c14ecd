"""Tariffs: how many stays a second, against the same stays in plain Python, NumPy, polars and SQL."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import click
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from bench import tariff_rivals
from bench.registry import Figures, area
from bench.tariff_oracle import Evaluator
from parkflow import core

STAYS = 1_000_000
# The plain evaluator and SQL take fewer of them, so that a turn lasts about as long.
STAYS_OF_PYTHON = 1_000
STAYS_OF_SQL = 200_000
ROUNDS = 7
YEAR_S = 365 * 86_400
FIRST_ENTRY_S = 1_767_225_600
LIBRARY = files("parkflow.tariff") / "library"
# One price an hour, at most 40 a local day.
SIMPLE = core.Tariff.load(
    "{ptl: 1, id: hourly, currency: CNY, minor_exponent: 2, timezone: Asia/Shanghai, plans: [{id: any, cycle: stay, "
    "edge: split, bands: [{id: all, ladder: [{unit: 60, price: 500}]}], caps: [{max: 4000, over: {daily: '00:00'}}]}]}"
)


@cache
def stays() -> pl.DataFrame:
    """Entries over a year; lengths log-normal around an hour and a half, a few of days, as car parks publish them."""
    chance = np.random.default_rng(7)
    entry = FIRST_ENTRY_S + chance.integers(0, YEAR_S, STAYS)
    length = np.clip(5_400 * np.exp(1.1 * chance.standard_normal(STAYS)), 60, 30 * 86_400).astype(np.int64)
    return pl.DataFrame({"entry": entry, "exit": entry + length})
