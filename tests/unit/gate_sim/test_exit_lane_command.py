"""`gate-sim queue`: figures as a table and as JSON, and a picture that is the one in the docs."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gate_sim.exit_decision import decision_p99_us
from gate_sim.exit_lane_command import queue
from gate_sim.exit_lane_plot import duration

ROOT = Path(__file__).parents[3]
PICTURE = ROOT / "docs" / "exit-queue.svg"
SVG = "{http://www.w3.org/2000/svg}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(queue, [*arguments])


def test_without_options_it_is_the_published_comparison_at_the_decision_time_of_this_machine() -> None:
    figures = json.loads(run("--json").stdout)
    assert (figures["manual"]["total_s"], figures["kiosk"]["total_s"]) == (3_250, 1_600)
    assert figures["decision_us"] > 0
    assert figures["qr"]["total_s"] == pytest.approx(800 + figures["decision_us"] / 10_000)
    assert all(0 < figures[way]["wait_mean_s"] < figures[way]["wait_p95_s"] for way in ("manual", "kiosk", "qr"))


def test_the_table_names_every_way() -> None:
    lines = run("--decision-us", "200", "--arrivals", "poisson", "--lanes", "2").stdout.splitlines()
    assert [line[:24].strip() for line in lines[1:4]] == [
        "pay at the barrier", "pay at a machine before", "show a QR code",
    ]  # fmt: skip
    assert "200 µs" in lines[-1]


def test_the_picture_of_the_docs_is_what_the_command_draws(tmp_path: Path) -> None:
    drawn = tmp_path / "queue.svg"
    assert run("--decision-us", "200", "--svg", str(drawn)).exit_code == 0
    numbers = re.compile(r"\d+\.\d+")
    ours, kept = drawn.read_text(), PICTURE.read_text()
    assert numbers.sub("#", ours) == numbers.sub("#", kept)
    # The last digits of a coordinate are the CPU's.
    assert [float(number) for number in numbers.findall(ours)] == pytest.approx(
        [float(number) for number in numbers.findall(kept)], abs=0.01
    )


def test_the_same_run_draws_the_same_bytes_and_says_in_words_what_is_seen(tmp_path: Path) -> None:
    arguments = ("--decision-us", "200", "--cars", "30", "--arrivals", "folded", "--svg")
    first, again = tmp_path / "first.svg", tmp_path / "again.svg"
    assert run(*arguments, str(first)).exit_code == run(*arguments, str(again)).exit_code == 0
    assert first.read_bytes() == again.read_bytes()
    root = ET.fromstring(first.read_bytes())
    assert root.get("role") == "img"
    title, description = (root.findtext(f"{SVG}{name}") for name in ("title", "desc"))
    assert title == "30 cars, 1 lane, as on the demo day"
    assert description is not None
    assert "Show a QR code: at most 30 cars at once" in description
    for way in ("manual", "kiosk", "qr"):
        assert next(node for node in root.iter(f"{SVG}g") if node.get("id") == f"way-{way}")


def test_a_decision_is_measured_on_codes_that_the_gate_lets_out() -> None:
    # Two signatures cannot be checked in less than some microseconds, and a barrier takes seconds.
    assert 5 < decision_p99_us(100, denied=1_000) < 1_000_000


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--cars", "408", "--arrivals", "folded"), "the demo day has 407 exits, not 408"),
        (("--svg", "/nowhere/queue.svg"), "No such file or directory"),
        (("--paying", "101"), "101 is not in the range"),
        (("--lanes", "0"), "0 is not in the range"),
    ],
)
def test_wrong_use_is_one_clear_line(arguments: tuple[str, ...], line: str) -> None:
    done = run("--decision-us", "200", *arguments)
    assert done.exit_code == 2
    assert line in done.output


@pytest.mark.parametrize(("time_us", "text"), [(0, "0.0 s"), (8_000_200, "8.0 s"), (3_250_000_000, "54 min 10 s")])
def test_times_are_shown_as_people_say_them(time_us: int, text: str) -> None:
    assert duration(time_us) == text
