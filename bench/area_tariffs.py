"""Tariffs: how many stays a second, beside the same stays in plain Python, NumPy, polars and SQL."""

import gc
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from bench import tariff_rivals
from bench.registry import Figures, area
from bench.tariff_oracle import fee_minor as plain_fee_minor
from parkflow import core

STAYS = 1_000_000
# The plain evaluator takes fewer, so that its turn does not last for minutes.
STAYS_OF_PYTHON = 1_000
# How many stays an account has in the year.
STAYS_OF_ACCOUNT = 20
ROUNDS = 7
YEAR_S = 365 * 86_400
FIRST_ENTRY_S = 1_767_225_600
LIBRARY = files("parkflow.tariff") / "library"
# One price an hour, at most 40 yuan a local day.
SIMPLE = (
    "{ptl: 1, id: hourly, currency: CNY, minor_exponent: 2, timezone: Asia/Shanghai, plans: [{id: any, cycle: stay, "
    "edge: split, bands: [{id: all, ladder: [{unit: 60, price: 500}]}], caps: [{max: 4000, over: {daily: '00:00'}}]}]}"
)


@dataclass(frozen=True)
class Priced:
    """A tariff, and a kind of stay that it has a plan for."""

    tariff: core.Tariff
    vehicle_class: str | None
    tags: list[str]

    @classmethod
    def of(cls, text: str) -> "Priced":
        tariff = core.Tariff.load(text)
        condition = json.loads(tariff.canonical_json)["plans"][0].get("if", {})
        return cls(tariff, _first(condition.get("class")), [tag for tag in [_first(condition.get("tag"))] if tag])

    def price(self, stays: Any, threads: int = 1) -> core.FeeTable:
        return self.tariff.price_batch(stays, vehicle_class=self.vehicle_class, tags=self.tags, threads=threads)


@area("tariffs")
def measure() -> Figures:
    """A million stays of a year under each tariff on one core; rivals price the same stays, turn by turn."""
    simple, beijing = Priced.of(SIMPLE), Priced.of(_library("cn-beijing-1"))
    hangzhou = Priced.of(_library("cn-hangzhou-core"))
    figures: Figures = {}
    rates = {name: _rate(Priced.of(text)) for name, text in _libraries().items()}
    worst = min(rates, key=lambda name: rates[name])
    click.echo(f"slowest of the library: {worst}, {rates[worst]:,.0f} stays/s")
    figures["simple_stays_per_s"] = _rate(simple)
    figures["beijing_stays_per_s"] = rates["cn-beijing-1"]
    figures["hangzhou_stays_per_s"] = rates["cn-hangzhou-core"]
    figures["worst_stays_per_s"] = rates[worst]
    figures |= _beside_arrays(simple)
    figures |= _beside_sql(hangzhou)
    figures["vs_python_oracle"] = min(_beside_python(one) for one in (simple, beijing, hangzhou))
    figures["two_core_speedup"] = _ratio(
        partial(beijing.price, _stays(), threads=2), partial(beijing.price, _stays(), threads=1)
    )
    trips = Priced.of(_library("uk-stagecoach-day-week"))
    figures["bytes_per_stay"] = max(_bytes_per_stay(hangzhou), _bytes_per_stay(trips))
    return figures


@cache
def _stays() -> pl.DataFrame:
    """Entries over a year; lengths log-normal around an hour and a half, with a tail of days."""
    chance = np.random.default_rng(7)
    entry = FIRST_ENTRY_S + chance.integers(0, YEAR_S, STAYS)
    length = np.clip(5_400 * np.exp(1.1 * chance.standard_normal(STAYS)), 60, 30 * 86_400).astype(np.int64)
    account = chance.integers(0, STAYS // STAYS_OF_ACCOUNT, STAYS)
    return pl.DataFrame({"entry": entry, "exit": entry + length, "account": account})


def _library(name: str) -> str:
    return (LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")


def _libraries() -> Mapping[str, str]:
    names = sorted(path.name for path in LIBRARY.iterdir() if path.name.endswith(".yaml"))
    return {name.removesuffix(".yaml"): _library(name.removesuffix(".yaml")) for name in names}


def _first(names: str | list[str] | None) -> str | None:
    return names[0] if isinstance(names, list) else names


def _beside_arrays(simple: Priced) -> Figures:
    """The simple tariff as whole-array arithmetic: the fees must be the same."""
    stays = _stays()
    columns = {name: stays[name].to_numpy() for name in ("entry", "exit")}
    ours = pl.DataFrame(simple.price(stays))["fee_minor"].to_numpy()
    _same("NumPy", ours, tariff_rivals.hourly_numpy(columns))
    _same("polars", ours, tariff_rivals.hourly_polars(stays)["fee_minor"].to_numpy())
    price = partial(simple.price, stays)
    return {
        "simple_vs_polars": _ratio(price, partial(tariff_rivals.hourly_polars, stays)),
        "simple_vs_numpy": _ratio(price, partial(tariff_rivals.hourly_numpy, columns)),
    }


def _beside_sql(hangzhou: Priced) -> Figures:
    """The day-and-night tariff as SQL on one thread: a row for each day, and in closed form."""
    stays = _stays()
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.register("stays", stays.with_row_index("id").to_arrow())

    def ask(text: str) -> pa.Table:
        return connection.sql(text).to_arrow_table()

    ours = pl.DataFrame(hangzhou.price(stays))["fee_minor"].to_numpy()
    by_rows = pl.DataFrame(ask(tariff_rivals.DAY_NIGHT_SQL)).sort("id")["fee_minor"]
    _same("SQL", ours, by_rows.to_numpy())
    closed = pl.DataFrame(ask(tariff_rivals.DAY_NIGHT_CLOSED_SQL))["fee_minor"]
    _same("SQL in closed form", ours, closed.to_numpy())
    price = partial(hangzhou.price, stays)
    return {
        "daynight_vs_duckdb": _ratio(price, partial(ask, tariff_rivals.DAY_NIGHT_SQL)),
        "daynight_vs_duckdb_closed": _ratio(price, partial(ask, tariff_rivals.DAY_NIGHT_CLOSED_SQL)),
    }


def _beside_python(priced: Priced) -> float:
    """How many times as fast as the plain evaluator, stay for stay."""
    tariff = json.loads(priced.tariff.canonical_json)
    stays = list(_stays()[:STAYS_OF_PYTHON].select("entry", "exit").iter_rows())

    def plain() -> list[int | None]:
        return [plain_fee_minor(tariff, entry_s, exit_s, priced.vehicle_class) for entry_s, exit_s in stays]

    ours = pl.DataFrame(priced.price(_stays()[:STAYS_OF_PYTHON]))["fee_minor"].to_list()
    if plain() != ours:
        raise click.ClickException("the plain evaluator and the engine differ")
    return _ratio(partial(priced.price, _stays()), plain, rounds=3) * STAYS / STAYS_OF_PYTHON


def _rate(priced: Priced) -> float:
    stays = _stays()
    if refusals := priced.price(stays).refusals:
        raise click.ClickException(f"{priced.tariff.id} refuses stays: {refusals}")
    return STAYS / min(_seconds(partial(priced.price, stays)) for _ in range(ROUNDS))


def _bytes_per_stay(priced: Priced) -> float:
    """Memory at its highest while a million stays are priced, beyond what was there before; the fees count."""
    stays = _stays()
    priced.price(stays[:1_000])
    gc.collect()
    # Linux: forget the peak so far (proc(5), clear_refs).
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status_bytes("VmRSS")
    fees = priced.price(stays, threads=2)
    peak = _status_bytes("VmHWM")
    assert len(fees) == STAYS
    return (peak - before) / STAYS


def _status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    line = next(line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1_024


def _ratio(work: Callable[[], object], rival: Callable[[], object], rounds: int = ROUNDS) -> float:
    """How many times as fast as the rival: the median over turns, as others use the machine too."""
    work()
    rival()
    return statistics.median(_seconds(rival) / _seconds(work) for _ in range(rounds))


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _same(rival: str, ours: Any, theirs: Any) -> None:
    if not np.array_equal(ours, theirs):
        raise click.ClickException(f"{rival} gives other fees than the engine")
