"""The picture of a tariff: its steps are the engine's, its lines never slope, the same curves give the same bytes."""

import itertools
import re
import struct
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parkflow.core import AccountHistory, Tariff
from parkflow.kit.errors import ParkflowError
from parkflow.tariff.cli import tariff
from parkflow.tariff.plot import Curve, curves_of, draw, levels
from parkflow.tariff.steps import FeeStep, Parker, PriceStays, fee_steps, next_rise, stays_from

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "parkflow" / "tariff" / "library"
HOUR_S = 3_600
SVG = "{http://www.w3.org/2000/svg}"
CAR = Parker("car")


def ready(name: str, tariff_id: str | None = None) -> Tariff:
    text = (LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")
    return Tariff.load(re.sub(r"^id: .*$", f"id: {tariff_id}", text, flags=re.MULTILINE) if tariff_id else text)


def entry_s(loaded: Tariff, text: str) -> int:
    instant_s = loaded.instant_s(text)
    assert instant_s is not None
    return instant_s


def plot(*arguments: str) -> Result:
    return CliRunner().invoke(tariff, ["plot", *arguments])


@pytest.mark.parametrize(
    ("name", "entry", "parker"),
    [
        ("cn-shenzhen-1", "2026-06-05T14:17:23", Parker()),
        ("us-charlottesville-2017", "2017-10-20T07:59:45", Parker()),
        ("sg-hdb-s347", "2026-06-01T21:50", CAR),
        ("uk-stoke-john-street", "2026-06-02T07:10", Parker()),
    ],
)
def test_the_steps_are_the_seconds_at_which_the_engine_changes_its_fee(name: str, entry: str, parker: Parker) -> None:
    loaded = ready(name)
    start_s, last_s = entry_s(loaded, entry), 14 * HOUR_S + 7
    steps = fee_steps(stays_from(loaded, start_s, parker), last_s)
    ends_s = [step.from_s for step in steps[1:]] + [last_s + 1]
    drawn = [step.fee_minor for step, end_s in zip(steps, ends_s, strict=True) for _ in range(step.from_s, end_s)]
    exits_s = range(start_s, start_s + last_s + 1)
    assert drawn == loaded.price_many([start_s] * len(exits_s), exits_s, vehicle_class=parker.vehicle_class)
    assert len(steps) > 3
    for before, step in itertools.pairwise(steps):
        for length_s, fee_minor in ((step.from_s - 1, before.fee_minor), (step.from_s, step.fee_minor)):
            fee = loaded.price(entry_s=start_s, exit_s=start_s + length_s, vehicle_class=parker.vehicle_class)
            assert fee.fee_minor == fee_minor


def later(price: PriceStays, from_s: int) -> PriceStays:
    return lambda lengths_s: price([from_s + length_s for length_s in lengths_s])


def test_the_next_rise_is_the_first_second_that_is_dearer() -> None:
    loaded = ready("us-charlottesville-2017")
    start_s = entry_s(loaded, "2017-10-20T07:59:45")
    # From some seconds after the entry on; the last of them is behind all that the day costs.
    for from_s in (0, 15, 16, 3_700, 20_000, 13 * HOUR_S):
        within_s = 5 * HOUR_S + 7
        exits_s = [start_s + from_s + after_s for after_s in range(within_s + 1)]
        fees = loaded.price_many([start_s] * len(exits_s), exits_s)
        dearer = next((FeeStep(after_s, fee) for after_s, fee in enumerate(fees) if fee > fees[0]), None)
        price = later(stays_from(loaded, start_s, Parker()), from_s)
        assert next_rise(price, within_s) == dearer
        assert dearer is None or next_rise(price, dearer.from_s - 1) is None


def test_a_step_lies_one_second_past_the_unit() -> None:
    loaded = ready("jp-komatsu-airport-1")
    steps = fee_steps(stays_from(loaded, entry_s(loaded, "2026-06-01T08:00"), Parker()), 3 * HOUR_S)
    assert steps == [FeeStep(0, 0), FeeStep(3_601, 200), FeeStep(5_401, 300), FeeStep(7_201, 400)]


def test_a_tariff_of_accounts_is_drawn_as_the_first_stay_of_one() -> None:
    loaded = ready("cn-shenzhen-2-nev")
    start_s = entry_s(loaded, "2026-06-01T08:00")
    steps = fee_steps(stays_from(loaded, start_s, Parker("nev")), 4 * HOUR_S)
    assert steps[:2] == [FeeStep(0, 0), FeeStep(2 * HOUR_S + 1, 180)]
    fee = loaded.settle(entry_s=start_s, exit_s=start_s + 4 * HOUR_S, vehicle_class="nev", history=AccountHistory())
    assert steps[-1].fee_minor == fee.fee_minor


def test_the_levels_are_where_the_fee_rests() -> None:
    steps = [FeeStep(0, 0), FeeStep(1, 100), FeeStep(3_601, 900), FeeStep(20_000, 910), FeeStep(35_000, 2_000)]
    # 900 and 910 cannot be told apart, and 900 rests longer; 100 rests for a tenth of the picture.
    assert levels([Curve(0, "", steps)], 10 * HOUR_S) == [100, 900, 2_000]
    assert levels([Curve(0, "", [FeeStep(0, 0)])], HOUR_S) == []


def points(path: str) -> list[tuple[str, str]]:
    return re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)


def test_the_svg_has_a_stepped_line_and_a_label_for_each_entry(tmp_path: Path) -> None:
    out = tmp_path / "fee.svg"
    hangzhou = str(LIBRARY / "cn-hangzhou-core.yaml")
    entries = ("2026-06-01T08:00", "2026-06-01T19:10:30")
    arguments = [hangzhou, "--class", "car", *(f"--entry={entry}" for entry in entries), "--out", str(out)]
    result = plot(*arguments)
    assert result.exit_code == 0, result.output
    root = ET.fromstring(out.read_bytes())
    texts = {"".join(node.itertext()).strip() for node in root.iter(f"{SVG}text")}
    assert {
        "cn-hz-core · car",
        "Fee (CNY)",
        "Length of stay (hours)",
        "Entry, local time (Asia/Shanghai)",
        "Mon 2026-06-01 08:00",
        "Mon 2026-06-01 19:10:30",
    } <= texts
    # 08:00 to 20:00 costs 10 + 22 x 6, and the night 5 more.
    assert {"147.00", "0.00", "24"} <= texts
    for number in (1, 2):
        group = next(node for node in root.iter(f"{SVG}g") if node.get("id") == f"entry-{number}")
        line = points(str(next(group.iter(f"{SVG}path")).get("d")))
        assert len(line) > 10
        assert all(x == next_x or y == next_y for (x, y), (next_x, next_y) in itertools.pairwise(line))
    first = out.read_bytes()
    assert plot(*arguments).exit_code == 0
    assert out.read_bytes() == first
    assert b"<dc:date>" not in first


def test_the_png_has_the_promised_size(tmp_path: Path) -> None:
    loaded = ready("jp-komatsu-airport-1")
    out = tmp_path / "fee.png"
    curves = curves_of(loaded, [entry_s(loaded, "2026-06-01T08:00")], hours=30, parker=Parker())
    draw(loaded, curves, hours=30, parker=Parker(), out=out)
    picture = out.read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (1_200, 720)
    assert b"Software" not in picture


@pytest.mark.parametrize("tariff_id", ["杭州核心区域", "停车 \U0001f697 \U00012000"])
def test_a_title_in_any_script_is_drawn_without_a_warning(tariff_id: str, tmp_path: Path) -> None:
    loaded = ready("jp-gspark-day-max", tariff_id)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curves = curves_of(loaded, [entry_s(loaded, "2026-06-01T08:00")], hours=2, parker=Parker())
        draw(loaded, curves, hours=2, parker=Parker(), out=tmp_path / "fee.png")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--entry", "noon", "--out", "fee.svg"], "--entry needs a time such as"),
        (["--entry", "2026-06-01T08:00", "--out", "fee.gif"], "--out needs a name that ends in .svg or .png"),
        (["--entry", "2026-06-01T08:00", "--hours", "0", "--out", "fee.svg"], "0 is not in the range 1<=x<=336"),
        (["--entry", "2026-06-01T08:00"] * 7 + ["--out", "fee.svg"], "--entry can be given 6 times"),
        (["--out", "fee.svg"], "Missing option '--entry'"),
    ],
)
def test_wrong_use_is_one_clear_line(arguments: list[str], line: str) -> None:
    result = plot(str(LIBRARY / "cn-beijing-1.yaml"), *arguments)
    assert result.exit_code == 2
    assert line in result.output


@pytest.mark.parametrize(
    ("file", "extra", "line"),
    [
        ("cn-beijing-1", [], "a stay cannot be priced: no_plan"),
        ("cn-beijing-1", ["--class", "car"], "No such file or directory"),
        ("absent", [], "No such file or directory"),
    ],
)
def test_a_refusal_is_one_line(file: str, extra: list[str], line: str, tmp_path: Path) -> None:
    out = str(tmp_path / "absent" / "fee.svg")
    result = plot(str(LIBRARY / f"{file}.yaml"), "--entry", "2026-06-01T08:00", "--hours", "1", *extra, "--out", out)
    assert isinstance(result.exception, ParkflowError)
    assert line in result.exception.message
    assert "\n" not in result.exception.message


def test_other_commands_start_without_matplotlib() -> None:
    program = "import sys; import parkflow.tariff.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
