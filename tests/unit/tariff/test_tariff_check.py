"""`parkflow tariff check`: what it says about a tariff, its warnings, and its exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parkflow.core import Tariff, TariffWarning
from parkflow.tariff.cli import tariff

PLAIN = """ptl: 1
id: plain
currency: EUR
minor_exponent: 2
timezone: Europe/Berlin
plans:
  - id: any
    cycle: stay
    edge: split
    bands:
      - {id: all, ladder: [{unit: 60, price: 200}]}
"""
DAY = PLAIN.replace("id: all,", 'id: day, when: {from: "08:00", to: "20:00", days: [mon-fri]},')
WARNING = (
    "warning line 11, plans[0].bands: mon-fri 00:00-08:00 and 20:00-24:00, sat-sun 00:00-24:00 is free: "
    "no band holds then; add a last band with `ladder: []` if that is meant (free_gap)"
)


def check(folder: Path, text: str, *options: str) -> Result:
    file = folder / "tariff.yaml"
    file.write_text(text)
    return CliRunner().invoke(tariff, ["check", str(file), *options])


def test_a_warning_follows_the_description_and_refuses_nothing(tmp_path: Path) -> None:
    result = check(tmp_path, DAY)
    assert result.exit_code == 0
    first, second, *warnings = result.output.splitlines()
    assert first.startswith("plain: EUR, Europe/Berlin, tzdata 20")
    assert second == f"sha256 {Tariff.load(DAY).sha256}"
    assert warnings == [WARNING]


@pytest.mark.parametrize(("text", "exit_code"), [(PLAIN, 0), (DAY, 1)])
def test_strict_makes_a_warning_a_failure(tmp_path: Path, text: str, exit_code: int) -> None:
    assert check(tmp_path, text, "--strict").exit_code == exit_code
    assert check(tmp_path, text, "--strict", "--json").exit_code == exit_code


def test_json_has_every_fact_and_warning(tmp_path: Path) -> None:
    report = json.loads(check(tmp_path, "valid: {to: 2026-10-01}\n" + DAY, "--json").output)
    [warning] = report.pop("warnings")
    assert (warning["code"], warning["path"], warning["line"]) == ("free_gap", "plans[0].bands", 12)
    assert report.pop("tzdata_version").startswith("20")
    assert len(report.pop("sha256")) == 64
    assert report == {
        "id": "plain",
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "valid_from_s": None,
        "valid_to_s": Tariff.load(DAY).instant_s("2026-10-01T00:00"),
        "version_at": "entry",
        "needs_history": False,
    }


def test_warnings_are_values() -> None:
    [warning], again = Tariff.load(DAY).warnings, Tariff.load(DAY).warnings
    assert isinstance(warning, TariffWarning)
    assert [warning] == again
    assert repr(warning) == "TariffWarning(free_gap, line 11, plans[0].bands)"
    assert Tariff.load(PLAIN).warnings == []
    with pytest.raises(AttributeError):
        warning.code = "x"  # type: ignore[misc]
