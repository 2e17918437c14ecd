"""The library of ready tariffs: each says where it comes from and asks for the fees that its source asks for."""

import csv
import json
import re
from collections import defaultdict
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from parkflow.core import AccountHistory, Tariff
from parkflow.tariff.cases import run_cases

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "parkflow" / "tariff" / "library"
NAMES = sorted(path.stem for path in LIBRARY.glob("*.yaml"))
STAYS = ROOT / "tests" / "golden" / "tariff_library" / "stays.csv"
CORPUS = ROOT / "tests" / "golden" / "tariffs.json"
DAY = timedelta(days=1)

Stay = dict[str, str]


@cache
def text(name: str) -> str:
    return (LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def tariff(name: str) -> Tariff:
    return Tariff.load(text(name))


@cache
def stays() -> dict[str, list[Stay]]:
    by_file: dict[str, list[Stay]] = defaultdict(list)
    with STAYS.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            by_file[row["file"]].append(row)
    return by_file


def fee_minor(name: str, stay: Stay, history: AccountHistory | None = None) -> int:
    loaded = tariff(name)
    entry_s, exit_s = loaded.instant_s(stay["entry"]), loaded.instant_s(stay["exit"])
    assert entry_s is not None
    assert exit_s is not None
    return loaded.settle(
        entry_s=entry_s,
        exit_s=exit_s,
        vehicle_class=stay["class"] or None,
        tags=stay["tags"].split(),
        history=history or AccountHistory(),
    ).fee_minor


def test_every_stay_belongs_to_a_tariff_of_the_library() -> None:
    assert sorted(stays()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_tariff_says_its_words_its_source_and_its_assumptions(name: str) -> None:
    fields = json.loads(tariff(name).canonical_json)
    assert fields["source"]
    assert fields["words"]
    assert text(name).startswith("# ")
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    assert f"| `{name}` |" in readme


@pytest.mark.parametrize("name", NAMES)
def test_the_fees_are_those_of_the_source(name: str) -> None:
    accounts: dict[str, AccountHistory] = defaultdict(AccountHistory)
    rows = stays()[name]
    fees = [fee_minor(name, stay, accounts[stay["account"]] if stay["account"] else None) for stay in rows]
    wrong = [
        (stay["entry"], stay["exit"], stay["sum"], int(stay["fee_minor"]), fee)
        for stay, fee in zip(rows, fees, strict=True)
        if int(stay["fee_minor"]) != fee
    ]
    assert wrong == []
    assert len(rows) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_a_day_and_two_days_are_among_the_stays(name: str) -> None:
    lengths = {datetime.fromisoformat(stay["exit"]) - datetime.fromisoformat(stay["entry"]) for stay in stays()[name]}
    assert {DAY, 2 * DAY} <= lengths


def test_every_fee_says_where_it_comes_from() -> None:
    known = {case["id"] for case in json.loads(CORPUS.read_text(encoding="utf-8"))["cases"]}
    for row in (row for rows in stays().values() for row in rows):
        assert row["sum"]
        kind, _, case_id = row["origin"].partition(" ")
        assert kind in {"published", "hand"} or (kind == "corpus" and case_id in known), row


def test_the_corpus_cases_of_a_tariff_hold_for_its_library_file() -> None:
    by_id = {tariff(name).id: json.loads(tariff(name).canonical_json) for name in NAMES}
    cases = [
        {**case, "tariff": {"ptl": by_id[case["tariff"]["ptl"]["id"]]}}
        for case in json.loads(CORPUS.read_text(encoding="utf-8"))["cases"]
        if case["tariff"]["ptl"]["id"] in by_id
    ]
    assert [result for result in run_cases(cases) if not result.passed] == []
    assert len(cases) >= 47
    assert len({case["tariff"]["ptl"]["id"] for case in cases}) >= 12


def test_a_yen_has_no_decimals() -> None:
    assert {tariff(name).minor_exponent for name in NAMES if name.startswith("jp-")} == {0}
    assert {tariff(name).minor_exponent for name in NAMES if not name.startswith("jp-")} == {2}


@pytest.mark.parametrize("name", ["cn-shenzhen-1", "cn-shenzhen-2-nev"])
def test_the_calendar_is_that_of_the_state_council(name: str) -> None:
    """The notices announce 28 days off and 5 days worked for 2025, 33 and 6 for 2026; only weekend days are worked."""
    dates = json.loads(tariff(name).canonical_json)["dates"]
    off, worked = ([date.fromisoformat(day) for day in dates[key]] for key in ("PH", "WORK"))
    assert [sum(day.year == year for day in off) for year in (2025, 2026)] == [28, 33]
    assert [sum(day.year == year for day in worked) for year in (2025, 2026)] == [5, 6]
    assert all(day.weekday() >= 5 for day in worked)
    assert not set(off) & set(worked)
    # A holiday is never longer than the two notices say, so the days off come in 6 and 7 runs.
    starts = [day for day in off if day - DAY not in off]
    assert [sum(day.year == year for day in starts) for year in (2025, 2026)] == [6, 7]


def test_the_readme_names_no_file_that_is_not_there() -> None:
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", readme, flags=re.MULTILINE) == NAMES
