"""Templates and validity as Python sees them: what a tariff may start from, and from when to when it is valid."""

from collections import UserDict
from pathlib import Path

import pytest
from click.testing import CliRunner

from parkflow.core import Tariff, TariffError
from parkflow.tariff.cli import tariff
from parkflow.tariff.templates import ready_texts

METER = "us-charlottesville-2017"


def test_every_ready_tariff_is_a_template() -> None:
    assert METER in ready_texts()
    for name, text in ready_texts().items():
        ready = Tariff.load(text)
        copy = Tariff.load(f"template: {name}\nid: {ready.id}\n", ready_texts())
        assert copy.sha256 == ready.sha256


def test_a_template_comes_from_any_mapping_and_is_unknown_without_one() -> None:
    text = "template: mine\nid: t\n"
    assert Tariff.load(text, UserDict(mine=ready_texts()[METER])).currency == "USD"
    with pytest.raises(TariffError, match="no template `mine`"):
        Tariff.load(text, {})
    with pytest.raises(TariffError, match="pass them when the text is loaded"):
        Tariff.load(text)


def test_the_command_knows_the_ready_tariffs(tmp_path: Path) -> None:
    file = tmp_path / "lot.yaml"
    file.write_text(f"template: {METER}\nid: lot-9\n")
    result = CliRunner().invoke(tariff, ["check", str(file)])
    assert result.output.startswith("lot-9: USD, America/New_York")


def test_validity_is_told_in_seconds_and_kept_when_priced() -> None:
    meter = Tariff.load(ready_texts()[METER])
    assert (meter.valid_from_s, meter.valid_to_s, meter.version_at) == (None, None, "entry")
    text = f"template: {METER}\nid: t\nvalid: {{from: 2017-10-01, to: 2017-11-01}}\nversion_at: exit\n"
    october = Tariff.load(text, ready_texts())
    start_s, end_s = october.instant_s("2017-10-01T00:00"), october.instant_s("2017-11-01T00:00")
    assert start_s is not None
    assert end_s is not None
    assert (october.valid_from_s, october.valid_to_s, october.version_at) == (start_s, end_s, "exit")
    assert october.price(entry_s=start_s - 60, exit_s=start_s).fee_minor == 0
    with pytest.raises(TariffError) as refusal:
        october.price(entry_s=end_s - 60, exit_s=end_s)
    assert refusal.value.code == "tariff_not_valid"
