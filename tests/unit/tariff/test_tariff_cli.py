"""`parkflow tariff`: output and exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parkflow.kit.errors import ParkflowError
from parkflow.tariff.cli import tariff

ROOT = Path(__file__).parents[3]
METER = str(ROOT / "parkflow" / "tariff" / "library" / "us-charlottesville-2017.yaml")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(tariff, list(arguments))


def refused(*arguments: str) -> str:
    """The line that `main` prints for a refusal, with exit code 2."""
    result = run(*arguments)
    assert isinstance(result.exception, ParkflowError), result.output
    assert "\n" not in result.exception.message
    return result.exception.message


def test_check_says_what_the_tariff_is() -> None:
    result = run("check", METER)
    assert result.exit_code == 0
    assert result.output.startswith("us-charlottesville-2017: USD, America/New_York, tzdata 20")


def test_a_broken_tariff_is_refused_with_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("ptl: 1\nid: x\nplans: 3\n")
    assert "broken.yaml: line 1: `timezone` is missing" in refused("check", str(broken))
    broken.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refused("check", str(broken))
    assert "No such file" in refused("check", str(tmp_path / "absent.yaml"))
    assert "Is a directory" in refused("check", str(tmp_path))


def test_price_shows_how_the_fee_comes_about() -> None:
    result = run("price", METER, "--entry", "2017-10-20T07:30", "--exit", "2017-10-20T09:00")
    assert result.exit_code == 0
    first, second = result.output.splitlines()
    assert first == "1.80 USD (plan meter)"
    assert "08:00:00-04:00" in second
    assert "180 units" in second


def test_price_as_json_is_the_canonical_record() -> None:
    result = run("price", METER, "--entry", "2017-10-20T08:00", "--exit", "2017-10-20T09:00-04:00", "--json")
    assert json.loads(result.output)["fee_minor"] == 180


def test_a_stay_that_cannot_be_priced_is_refused() -> None:
    assert "exit_before_entry" in refused("price", METER, "--entry", "2017-10-20T09:00", "--exit", "2017-10-20T08:00")


@pytest.mark.parametrize("entry", ["noon", "2017-13-01T00:00", ""])
def test_a_time_that_is_none_is_wrong_use(entry: str) -> None:
    result = run("price", METER, "--entry", entry, "--exit", "2017-10-20T08:00")
    assert result.exit_code == 2
    assert "needs a time such as" in result.output


def test_cases_counts_and_names_what_fails(tmp_path: Path) -> None:
    document = json.loads((ROOT / "tests" / "golden" / "tariffs.json").read_text(encoding="utf-8"))
    document["cases"] = document["cases"][:3]
    document["cases"][1]["expected_fee_minor_units"] += 1
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(document))
    result = run("cases", str(file))
    assert result.exit_code == 1
    first, last = result.output.splitlines()
    assert first.startswith(f"{document['cases'][1]['id']}: expected ")
    assert last == "passed 2 failed 1"
    report = json.loads(run("cases", str(file), "--json").output)
    assert (report["passed"], report["failed"]) == (2, 1)
    assert report["failures"][0]["id"] == document["cases"][1]["id"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"meta": {"format": "other"}, "cases": []}', "not json"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(text)
    assert "is not a case file" in refused("cases", str(file))


def test_a_case_without_its_fields_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_text('{"meta": {"format": "parkflow tariff cases 1"}, "cases": [{"id": "a"}]}')
    assert "case 0 lacks a field" in refused("cases", str(file))
