"""Shadow runs over files: sums, reasons, order of accounts, lines that are no stays."""

import gzip
import importlib
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from parkflow.core import Tariff
from parkflow.kit.errors import ParkflowError
from parkflow.shadow_commands import tariff
from parkflow.tariff.shadow import (
    Comparison,
    PastStay,
    Pricer,
    bounds_of_bucket,
    bucket_of_difference,
    local_hour_of,
)

LIBRARY = Path(__file__).parents[3] / "parkflow" / "tariff" / "library"
METER = Tariff.load((LIBRARY / "us-charlottesville-2017.yaml").read_text(encoding="utf-8"))
NOON_S = 1_508_515_200
HEAD = "entry,exit,vehicle_class,tags,account,id"


def hourly(ident: str, price: int, rules: str = "", of_plan: str = "") -> str:
    return (
        f"{{ptl: 1, id: {ident}, currency: USD, minor_exponent: 2, timezone: America/New_York, {rules}"
        f" plans: [{{id: p, {of_plan} cycle: stay, edge: split,"
        f" bands: [{{id: all, ladder: [{{unit: 60, price: {price}}}]}}]}}]}}"
    )


DAILY = 'caps: [{max: 300, over: {daily: "00:00"}, scope: account}],'
stays = st.lists(
    st.builds(
        lambda number, start_s, length_s, account: PastStay(
            f"n{number}", NOON_S + start_s, NOON_S + start_s + length_s, account=account
        ),
        st.integers(0, 9),
        st.integers(0, 300_000),
        st.integers(-5, 200_000),
        st.sampled_from([None, "a", "b"]),
    ),
    max_size=30,
)


def compare(before: Tariff, after: Tariff, chosen: list[PastStay], top: int = 20) -> Comparison:
    comparison = Comparison(local_hour_of(after), top=top)
    ordered = sorted(chosen, key=lambda stay: stay.exit_s)
    comparison.add(ordered, Pricer(before).prices(ordered), Pricer(after).prices(ordered))
    return comparison


@settings(max_examples=60)
@given(stays)
def test_a_tariff_against_itself_changes_nothing(chosen: list[PastStay]) -> None:
    for one in (METER, Tariff.load(hourly("t", 150, of_plan=DAILY))):
        result = compare(one, one, chosen)
        assert (result.sums.more, result.sums.less, result.sums.difference_minor) == (0, 0, 0)
        assert set(result.histogram) <= {0}
        assert (result.rises, result.falls) == ([], [])
        assert result.unpriced_before == result.unpriced_after


@settings(max_examples=60)
@given(stays)
def test_totals_are_the_sums_of_the_prices(chosen: list[PastStay]) -> None:
    old, new = METER, Tariff.load(hourly("t", 150, of_plan=DAILY))
    result = compare(old, new, chosen, top=5)
    ordered = sorted(chosen, key=lambda stay: stay.exit_s)
    pairs = list(zip(Pricer(old).prices(ordered), Pricer(new).prices(ordered), strict=True))
    priced = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]
    assert result.stays == len(chosen)
    assert result.sums.stays == len(priced) == sum(result.histogram.values())
    assert result.sums.before_minor == sum(a for a, _ in priced)
    assert result.sums.after_minor == sum(b for _, b in priced)
    assert result.sums.more + result.sums.less + result.sums.same == len(priced)
    assert result.unpriced_after.counts.total() == sum(isinstance(b, str) for _, b in pairs)
    for slices in (result.by_class, result.by_hour):
        assert sum(one.difference_minor for one in slices.values()) == result.sums.difference_minor
    rises = sorted((b - a for a, b in priced if b > a), reverse=True)
    assert [row["difference_minor"] for row in result.rises] == rises[:5]


def test_a_version_that_begins_later_is_tried_on_stays_from_before() -> None:
    later = Tariff.load(hourly("t", 150, 'valid: {from: "2030-01-01"}, version_at: exit,'))
    assert Pricer(later).prices([PastStay("a", NOON_S, NOON_S + 3_601)]) == [300]


def test_each_difference_lies_in_its_bucket_and_buckets_do_not_overlap() -> None:
    for difference in [*range(-300, 300), 10**12, -(10**12)]:
        least, greatest = bounds_of_bucket(bucket_of_difference(difference))
        assert least <= difference <= greatest
    bounds = [bounds_of_bucket(number) for number in range(-8, 9)]
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(bounds))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(tariff, [str(one) for one in arguments])


def refused(*arguments: object) -> str:
    """The line that `main` prints for a refusal, with exit code 2."""
    result = run(*arguments)
    assert isinstance(result.exception, ParkflowError), result.output
    assert "\n" not in result.exception.message
    return result.exception.message


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two tariffs: 1.00 an hour, and 1.50 an hour up to 3.00 a day for an account, for 10 hours at most."""
    (tmp_path / "a.yaml").write_text(hourly("a", 100))
    (tmp_path / "b.yaml").write_text(hourly("b", 150, of_plan=f"if: {{minutes: {{le: 600}}}}, {DAILY}"))
    return tmp_path


def diff(folder: Path, content: str, *more: object) -> dict[str, Any]:
    (folder / "stays.csv").write_text(content)
    result = run("diff", folder / "a.yaml", folder / "b.yaml", "--stays", folder / "stays.csv", "--json", *more)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


ROWS = [
    # Given out of order: the account's second stay first.
    "2017-10-20T14:00:00-04:00,2017-10-20T16:00:00-04:00,car,,ann,late",
    "2017-10-20T12:00:00-04:00,2017-10-20T14:00:00-04:00,car,,ann,early",
    f"{NOON_S},{NOON_S + 3_600},,,,",
    f"{NOON_S},{NOON_S + 36_001},large,lost; big,bob,long",
]


def test_a_file_is_compared_in_order_of_exit_with_reasons_and_the_largest_changes(files: Path) -> None:
    found = diff(files, "\n".join([HEAD, *ROWS]))
    assert (found["stays"], found["bad_lines"]) == (4, 0)
    sums = found["compared"]
    assert (sums["before_minor"], sums["after_minor"], sums["difference_bp"]) == (500, 450, -1_000)
    assert (sums["more"], sums["less"], sums["same"]) == (2, 1, 0)
    assert found["unpriced_after"] == [{"code": "no_plan", "stays": 1, "examples": ["long"]}]
    assert [row["stay"] for row in found["rises"]] == ["early", "line 4"]
    assert [(row["stay"], row["difference_minor"]) for row in found["falls"]] == [("late", -200)]
    assert found["by_hour"]["12"]["stays"] == 2
    assert diff(files, "\n".join([HEAD, *ROWS]), "--top", 0)["rises"] == []


def test_the_report_in_words(files: Path) -> None:
    (files / "stays.csv").write_text("\n".join([HEAD, *ROWS, "today,tomorrow,,,,"]))
    result = run("diff", files / "a.yaml", files / "b.yaml", "--stays", files / "stays.csv")
    assert result.exit_code == 0
    for words in (
        "4 stays, 3 priced both ways, in USD",
        "-0.50  (-10.00 %)",
        "pay more 2, less 1, the same 0",
        "cannot be priced after: 1 of 4",
        "no_plan: 1 (such as long)",
        "+0.21 … +0.50",
        "█",
        "2.00 -> 0.00",
        "by hour of entry",
        "line 6 entry 'today' is neither ISO 8601",
    ):
        assert words in result.output


def test_compressed_and_columnar_files_say_the_same(files: Path) -> None:
    text = "\n".join([HEAD, *ROWS])
    expected = diff(files, text)
    (files / "stays.csv.gz").write_bytes(gzip.compress(text.encode()))
    pyarrow, parquet = (importlib.import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
    noon = datetime(2017, 10, 20, 16, tzinfo=UTC)
    hour = timedelta(hours=1)
    table = pyarrow.table(
        {
            "entry": [noon + 2 * hour, noon, noon, noon],
            "exit": [noon + 4 * hour, noon + 2 * hour, noon + hour, noon + timedelta(seconds=36_001)],
            "vehicle_class": ["car", "car", None, "large"],
            "tags": [None, None, None, ["lost", "big"]],
            "account": ["ann", "ann", None, "bob"],
            "id": ["late", "early", "line 4", "long"],
            "colour": ["red"] * 4,
        }
    )
    parquet.write_table(table, files / "stays.parquet")
    for name in ("stays.csv.gz", "stays.parquet"):
        result = run("diff", files / "a.yaml", files / "b.yaml", "--stays", files / name, "--json")
        assert json.loads(result.output) == expected


def test_lines_that_are_no_stays_are_named_and_counted(files: Path) -> None:
    bad = [
        "2017-10-20T12:00,2017-10-20T13:00:00Z,,,,",
        "1.5,2,,,,",
        "1,2",
        "1,,,,,",
        "99999999999999,1,,,,",
    ]
    found = diff(files, "\n".join([HEAD, *ROWS, *bad]))
    assert (found["stays"], found["bad_lines"]) == (4, 5)
    assert [text.split(" ", 3)[:3] for text in found["bad_lines_first"]] == [
        ["line", "6", "entry"],
        ["line", "7", "entry"],
        ["line", "8", "has"],
        ["line", "9", "exit"],
        ["line", "10", "entry"],
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("stays.csv", b"", "needs the column entry"),
        ("stays.csv", b"entry,leave\n1,2\n", "needs the column exit"),
        ("stays.csv", b"entry,exit,id,id\n", "has the column id twice"),
        ("stays.csv", b"entry,exit\n", "has no stays"),
        ("stays.csv", b"entry,exit\nx,y\n", "has no stays; line 2 entry 'x'"),
        ("stays.csv", b"entry,exit\n\xff,1\n", "not UTF-8"),
        ("stays.csv", b'entry,exit\n"1,2\n', "is not CSV"),
        ("stays.csv.gz", b"entry,exit\n1,2\n", "gzip"),
        ("stays.csv.gz", gzip.compress(b"entry,exit\n1,2\n" * 99)[:-12], "cut off"),
        ("stays.parquet", b"entry,exit\n1,2\n", "is not Parquet"),
        ("absent.csv", None, "No such file"),
        ("absent.parquet", None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    files: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (files / name).write_bytes(content)
    assert words in refused("diff", files / "a.yaml", files / "b.yaml", "--stays", files / name)


def test_tariffs_of_different_currency_do_not_compare(files: Path) -> None:
    (files / "b.yaml").write_text(hourly("b", 150).replace("USD", "EUR"))
    (files / "stays.csv").write_text("\n".join([HEAD, *ROWS]))
    assert "USD" in refused("diff", files / "a.yaml", files / "b.yaml", "--stays", files / "stays.csv")
