"""Columns of stays: every table library gives them, nothing is copied, and a row's fee is that of the single stay."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from parkflow.core import AccountHistory, FeeTable, Tariff, TariffError

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "parkflow" / "tariff" / "library"
SPRING_S = 1_772_323_200
ROWS = 3_000


def library(name: str) -> Tariff:
    return Tariff.load((LIBRARY / f"{name}.yaml").read_text(encoding="utf-8"))


HANGZHOU = library("cn-hangzhou-core")
TRIPS = Tariff.load(
    json.dumps(
        {
            "ptl": 1, "id": "trips", "currency": "GBP", "minor_exponent": 2, "timezone": "Europe/London",
            "plans": [
                {
                    "id": "trip", "cycle": "stay", "edge": "split",
                    "bands": [{"id": "all", "ladder": [{"unit": "all", "price": 350}]}],
                    "caps": [
                        {"max": 450, "over": {"daily": "00:00"}, "scope": "account"},
                        {"max": 1500, "over": {"weekly": "mon 00:00"}, "scope": "account"},
                    ],
                }
            ],
        }
    )
)  # fmt: skip


def stays(rows: int = ROWS) -> dict[str, list[Any]]:
    chance = random.Random(4)
    entry = [SPRING_S + chance.randrange(60 * 86_400) for _ in range(rows)]
    length = [chance.randrange(60, 3 * 86_400) for _ in range(rows)]
    return {
        "entry": entry,
        "exit": [at + by for at, by in zip(entry, length, strict=True)],
        "vehicle_class": [chance.choice(["car", "large"]) for _ in range(rows)],
        "account": [chance.randrange(200) for _ in range(rows)],
    }


STAYS = stays()
ONE_BY_ONE = [
    HANGZHOU.price(entry_s=entry, exit_s=exit_, vehicle_class=kind).fee_minor
    for entry, exit_, kind in zip(STAYS["entry"], STAYS["exit"], STAYS["vehicle_class"], strict=True)
]


def fees(table: FeeTable) -> list[int | None]:
    return pl.DataFrame(table)["fee_minor"].to_list()


def refusals(table: FeeTable) -> list[str | None]:
    return pl.DataFrame(table)["refusal"].cast(pl.String).to_list()


def dated(unit: str) -> pl.DataFrame:
    when = pl.from_epoch(pl.col("entry", "exit"), time_unit="s").cast(pl.Datetime(unit, "UTC"))  # type: ignore[arg-type]
    return pl.DataFrame(STAYS).with_columns(when)


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame(STAYS),
        pl.concat([pl.DataFrame(STAYS)[:1_000], pl.DataFrame(STAYS)[1_000:]], rechunk=False),
        pl.DataFrame(STAYS).with_columns(pl.col("vehicle_class").cast(pl.Categorical)),
        dated("ms"),
        dated("us"),
        dated("ns"),
        pa.table(STAYS),
        pa.table(STAYS).to_batches()[0],
        pa.table(STAYS).set_column(2, "vehicle_class", pa.array(STAYS["vehicle_class"]).dictionary_encode()),
        pd.DataFrame(STAYS),
        pd.DataFrame(STAYS).assign(
            entry=pd.to_datetime(STAYS["entry"], unit="s", utc=True),
            exit=pd.to_datetime(STAYS["exit"], unit="s", utc=True),
        ),
        duckdb.from_arrow(pa.table(STAYS)),
    ],
    ids=[
        "polars", "chunks", "categories", "ms", "us", "ns", "pyarrow", "batch", "dictionary", "pandas", "pandas_utc",
        "duckdb",
    ],
)  # fmt: skip
def test_a_table_of_any_library_is_priced_as_one_by_one(table: Any) -> None:
    assert fees(HANGZHOU.price_batch(table)) == ONE_BY_ONE


def test_the_fees_go_into_every_library_without_a_row_changed() -> None:
    table = HANGZHOU.price_batch(pa.table(STAYS))
    assert len(table) == ROWS
    assert pa.table(table)["fee_minor"].to_pylist() == ONE_BY_ONE
    assert pd.DataFrame.from_arrow(table)["fee_minor"].to_list() == ONE_BY_ONE
    assert duckdb.from_arrow(pa.table(table)).aggregate("sum(fee_minor)").fetchall() == [(sum(ONE_BY_ONE),)]
    about = {key.decode(): value.decode() for key, value in pa.table(table).schema.metadata.items()}
    assert about["tariff_sha256"] == HANGZHOU.sha256
    assert (about["currency"], about["minor_exponent"]) == ("CNY", "2")


def settled_one_by_one(frame: pl.DataFrame) -> list[int]:
    """Fees of trips: the stays of each account in order of their exits, then of their rows."""
    expected: dict[int, int] = {}
    for (_,), rows in frame.with_row_index().group_by(["account"]):
        history = AccountHistory()
        for row in rows.sort("exit", "index").iter_rows(named=True):
            fee = TRIPS.settle(entry_s=row["entry"], exit_s=row["exit"], history=history)
            expected[row["index"]] = fee.fee_minor
    return [expected[index] for index in range(len(frame))]


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_change_no_fee(threads: int) -> None:
    many = pl.concat([pl.DataFrame(STAYS)] * 20, rechunk=True)
    assert fees(HANGZHOU.price_batch(many, threads=threads)) == ONE_BY_ONE * 20


def test_an_account_stays_whole_however_the_work_is_cut() -> None:
    # Days of one person over and over, and no account ends where 16,384 rows do.
    many = pl.concat([pl.DataFrame(STAYS)] * 8, rechunk=True)
    expected = settled_one_by_one(many)
    for threads in (1, 2, 8):
        assert fees(TRIPS.price_batch(many, threads=threads)) == expected


@pytest.mark.parametrize("kind", ["int", "text", "category", "bytes"])
def test_the_stays_of_an_account_are_settled_in_order_of_their_exits(kind: str) -> None:
    frame = pl.DataFrame(STAYS)
    expected = settled_one_by_one(frame)
    casts = {
        "int": pl.col("account"),
        "text": pl.col("account").cast(pl.String),
        "category": pl.col("account").cast(pl.String).cast(pl.Categorical),
        "bytes": pl.col("account").cast(pl.String).cast(pl.Binary),
    }
    table = pl.concat([frame[:700], frame[700:]], rechunk=False).with_columns(casts[kind])
    assert fees(TRIPS.price_batch(table)) == expected
    assert sum(expected) < 350 * ROWS


def test_rows_without_an_account_stand_alone_and_without_the_column_are_refused() -> None:
    table = pa.table({"entry": [SPRING_S] * 3, "exit": [SPRING_S + 60] * 3, "account": pa.array([7, None, 7])})
    assert fees(TRIPS.price_batch(table)) == [350, 350, 100]
    alone = TRIPS.price_batch(table.drop_columns("account"))
    assert (fees(alone), alone.refusals) == ([None] * 3, {"history_needed": 3})


def test_a_row_that_cannot_be_priced_says_why_and_harms_no_other() -> None:
    hour = SPRING_S + 3_600
    table = pa.table(
        {
            "entry": pa.array([SPRING_S, hour, None, -1, 0, SPRING_S, 2**62]),
            "exit": pa.array([hour, SPRING_S, hour, hour, hour, None, 2**62]),
            "vehicle_class": ["car", "car", "car", "car", "car", "car", "tank"],
        }
    )
    result = HANGZHOU.price_batch(table)
    assert fees(result)[0] == HANGZHOU.price(entry_s=SPRING_S, exit_s=hour, vehicle_class="car").fee_minor
    assert fees(result)[1:] == [None] * 6
    assert refusals(result) == [
        None, "exit_before_entry", "instant_missing", "instant_out_of_range", "stay_too_long", "instant_missing",
        "instant_out_of_range",
    ]  # fmt: skip
    assert result.refusals["instant_missing"] == 2
    tank = HANGZHOU.price_batch(pa.table({"entry": [SPRING_S], "exit": [hour]}), vehicle_class="tank")
    assert tank.refusals == {"no_plan": 1}


def test_a_missing_instant_uses_up_nothing_of_its_account() -> None:
    table = pa.table({"entry": pa.array([None, SPRING_S]), "exit": [SPRING_S + 30, SPRING_S + 60], "account": [1, 1]})
    assert fees(TRIPS.price_batch(table)) == [None, 350]


def test_tags_choose_the_plan() -> None:
    tariff = Tariff.load(
        "{ptl: 1, id: t, currency: CNY, minor_exponent: 2, timezone: UTC, plans: ["
        "{id: lost, if: {tag: [lost]}, cycle: stay, edge: split, bands: [{id: a, ladder: [{unit: all, price: 900}]}]},"
        "{id: any, cycle: stay, edge: split, bands: [{id: a, ladder: [{unit: all, price: 100}]}]}]}"
    )
    table = pa.table({"entry": [0] * 4, "exit": [60] * 4, "tags": [["lost"], [], None, ["x", "lost"]]})
    assert fees(tariff.price_batch(table)) == [900, 100, 100, 900]
    assert fees(tariff.price_batch(table.drop_columns("tags"), tags=["lost"])) == [900] * 4


def test_a_begun_second_counts_from_its_start() -> None:
    tariff = library("us-charlottesville-2017")
    noon = int(datetime(2017, 10, 20, 16, tzinfo=UTC).timestamp())
    millis = pa.array([noon * 1_000 + 999], pa.timestamp("ms", "UTC"))
    table = pa.table({"entry": pa.array([noon * 1_000], pa.timestamp("ms", "UTC")), "exit": millis})
    before_1970 = pa.table({"entry": pa.array([-1], pa.timestamp("ms", "UTC")), "exit": millis})
    assert fees(tariff.price_batch(table)) == [0]
    assert tariff.price_batch(before_1970).refusals == {"instant_out_of_range": 1}


@pytest.mark.parametrize(
    ("table", "column", "says"),
    [
        (pa.table({"entry": [1]}), "exit", "no column `exit`"),
        (pa.table({"entry": [1.5], "exit": [2]}), "entry", "needs int64"),
        (pa.table({"entry": pa.array([1], pa.timestamp("s")), "exit": [2]}), "entry", "no time zone"),
        (pa.table({"entry": [1], "exit": [2], "vehicle_class": [3]}), "vehicle_class", "needs text"),
        (pa.table({"entry": [1], "exit": [2], "tags": ["lost"]}), "tags", "needs lists of texts"),
        (pa.table({"entry": [1], "exit": [2], "account": [1.5]}), "account", "whole numbers"),
    ],
)
def test_a_column_of_another_type_is_refused_by_name(table: pa.Table, column: str, says: str) -> None:
    with pytest.raises(TariffError, match=says) as refusal:
        TRIPS.price_batch(table)
    assert (refusal.value.code, refusal.value.path) == ("stays_invalid", column)


def test_a_tariff_without_shared_caps_looks_at_no_account() -> None:
    table = pa.table({"entry": [SPRING_S], "exit": [SPRING_S + 60], "account": [1.5]})
    assert HANGZHOU.price_batch(table, vehicle_class="car").refusals == {}


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(TypeError, match="Arrow PyCapsule interface"):
        HANGZHOU.price_batch([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TariffError, match="give it once"):
        HANGZHOU.price_batch(pa.table(STAYS), vehicle_class="car")


def test_an_empty_table_gives_an_empty_one() -> None:
    empty = pa.table({"entry": pa.array([], pa.int64()), "exit": pa.array([], pa.int64())})
    assert len(HANGZHOU.price_batch(empty)) == 0
    assert fees(TRIPS.price_batch(empty)) == []


def test_the_input_lies_where_it_lay() -> None:
    """What is read is the library's own memory: changing it between two calls changes the fees."""
    import numpy as np

    entry, exit_ = np.full(10, SPRING_S + 8 * 3_600), np.full(10, SPRING_S + 9 * 3_600)
    table = pa.table({"entry": pa.array(entry), "exit": pa.array(exit_)})
    before = HANGZHOU.price_batch(table, vehicle_class="car")
    exit_ += 3_600
    assert fees(before) != fees(HANGZHOU.price_batch(table, vehicle_class="car"))
