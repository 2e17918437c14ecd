"""APDS 4, out and in: a tariff survives with its extension, and without it nothing is guessed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from parkflow.core import Tariff
from parkflow.kit.errors import ParkflowError
from parkflow.tariff.apds import EXTENSION, ApdsRefused, read_document, to_json
from parkflow.tariff.apds_export import export_tariff
from parkflow.tariff.cli import tariff
from tests.unit.tariff.apds_world import (
    EXAMPLES,
    LIBRARY,
    NAMES,
    ROOT,
    example,
    exported,
    fees,
    imported,
    ready,
    true_facts,
)

# What somebody says who knows the places of the examples.
NPP = ("timezone=Europe/London", "grace=none", "cycle=24h", "tax=included", "beyond=free")
SANDBOX = ("timezone=Europe/London", "grace=none", "cycle=stay", "edge=split", "tax=included", "beyond=free")
DECK = ("timezone=America/Chicago", "grace=none", "edge=split")

# Tariffs that need no more than the facts for which the import asks; all others are refused without their extension.
WHOLE_IN_APDS = {"cn-beijing-1", "cn-zhangye-airport", "jp-komatsu-airport-1", "us-charlottesville-2017"}


def fee_minor(loaded: Tariff, entry: str, exit_: str) -> int:
    entry_s, exit_s = loaded.instant_s(entry), loaded.instant_s(exit_)
    assert entry_s is not None
    assert exit_s is not None
    return loaded.price(entry_s=entry_s, exit_s=exit_s).fee_minor


def refused(document: dict[str, Any], *assumed: str) -> str:
    with pytest.raises(ApdsRefused) as refusal:
        imported(document, *assumed)
    assert "\n" not in refusal.value.message
    return refusal.value.message


# --- There and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_with_its_extension_a_tariff_comes_back_the_same(name: str) -> None:
    loaded = ready(name)
    back = imported(exported(loaded))
    assert back.tariff.canonical_json == loaded.canonical_json
    assert not back.assumptions
    assert not back.losses


@pytest.mark.parametrize("name", NAMES)
def test_without_its_extension_a_tariff_asks_for_the_same_fees_or_the_loss_is_named(name: str) -> None:
    loaded = ready(name)
    document = exported(loaded, extension=False)
    if name in WHOLE_IN_APDS:
        back = imported(document, *true_facts(loaded)).tariff
        assert back.id == loaded.id
        assert fees(back) == fees(loaded)
        return
    message = refused(document, *true_facts(loaded))
    lost = [loss.path for loss in export_tariff(loaded).losses if loss.changes_fees]
    assert lost[0] in message or "have no dates in the document" in message


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_imported_on_a_guess(name: str) -> None:
    message = refused(exported(ready(name), extension=False))
    assert "--assume" in message or "have no dates" in message


def test_the_refusal_names_every_missing_fact_at_once() -> None:
    message = refused(exported(ready("cn-beijing-1"), extension=False))
    assert re.findall(r"--assume (\w+)=", message) == ["restart", "grace", "cycle", "edge", "timezone"]


@pytest.mark.parametrize(
    "when",
    [
        {"from": "22:00", "to": "06:00"},
        {"from": "22:00", "to": "06:00", "days": ["fri", "sat"]},
        {"from": "08:00", "to": "24:00", "days": ["mon-fri", "!wed"]},
        {"from": "19:00", "to": "00:00", "days": ["sun-tue"]},
        {"days": ["sat-sun"]},
        [{"from": "07:00", "to": "09:30"}, {"from": "16:00", "to": "19:00", "days": ["thu"]}],
    ],
)
def test_a_window_means_the_same_as_periods_of_the_standard(when: object) -> None:
    fields = json.loads(ready("jp-gspark-day-max").canonical_json)
    plan = fields["plans"][0]
    plan["bands"][0]["when"] = when
    del plan["caps"]
    loaded = Tariff.load(json.dumps(fields))
    document = exported(loaded, extension=False)
    assert fees(imported(document, *true_facts(loaded)).tariff) == fees(loaded)


def test_the_dates_of_a_tariff_are_those_of_its_collections() -> None:
    fields = json.loads(ready("jp-komatsu-airport-1").canonical_json)
    loaded = Tariff.load(json.dumps({**fields, "valid": {"from": "2026-04-01", "to": "2027-04-01T12:30"}}))
    document = exported(loaded, extension=False)
    collection = document["rateTables"][0]["rateLineCollections"][0]
    assert (collection["validStart"], collection["validEnd"]) == ("2026-03-31T15:00:00Z", "2027-04-01T03:30:00Z")
    back = imported(document, *true_facts(loaded)).tariff
    assert (back.valid_from_s, back.valid_to_s) == (loaded.valid_from_s, loaded.valid_to_s)
    for text in ("2026-04-01T00:00:00", "soon", "2026-04-01T00:00:00.5Z", "9999-12-31T23:59:59Z"):
        collection["validStart"] = text
        assert "rateLineCollections[0].validStart" in refused(document, *true_facts(loaded))


def test_a_price_that_was_changed_in_the_standard_part_is_imported() -> None:
    document = exported(ready("cn-zhangye-airport"))
    document["rateTables"][1]["rateLineCollections"][0]["maxValueCollection"]["currencyValue"] = 30
    back = json.loads(imported(document).tariff.canonical_json)
    assert back["plans"][1]["caps"][0]["max"] == 3_000


def test_anything_else_that_contradicts_the_extension_is_refused() -> None:
    document = exported(ready("cn-beijing-1"))
    document["rateTables"][0]["rateLineCollections"][0]["rateLines"][0]["incrementPeriod"] = "PT20M"
    assert refused(document).startswith(
        "rateTables[0].rateLineCollections[0].rateLines[0].incrementPeriod: contradicts"
    )
    document = exported(ready("cn-beijing-1"))
    document["rateTables"][0]["rateLineCollections"][0]["rateLines"][0]["maxValue"] = 5
    assert refused(document).startswith("rateTables[0].rateLineCollections[0].rateLines[0].maxValue: contradicts")
    document = exported(ready("cn-beijing-1"))
    document["rightSpecification"]["rateEligibility"][0]["rateDiscount"] = {"discountRate": 10}
    assert "rateDiscount: contradicts" in refused(document)
    document = exported(ready("cn-beijing-1"))
    del document["rateTables"][3]
    assert "points at nothing" in refused(document)
    document = exported(ready("cn-beijing-1"))
    document[EXTENSION]["format"] = "another"
    assert "is not of the format" in refused(document)


def test_what_holds_no_price_may_be_added_beside_the_extension() -> None:
    document = exported(ready("cn-beijing-1"))
    document["rightSpecification"]["issuer"] = {"id": "TESTCOUNCIL", "version": 1}
    document["rateTables"][0]["rateResponsibleParty"] = {"id": "TESTCOUNCIL", "version": 1}
    document["rateTables"][0]["rateLineCollections"][0]["validStart"] = "2026-01-01T00:00:00Z"
    assert imported(document).tariff.sha256 == ready("cn-beijing-1").sha256


def test_the_standard_part_says_what_it_lacks() -> None:
    document = exported(ready("us-grand-rapids-economy"), extension=False)
    texts = [text["string"] for text in document["rightSpecification"]["description"]]
    assert texts[1] == "Incomplete without x-parkflow: plans[0].caps[1]"
    back = imported(document, *true_facts(ready("us-grand-rapids-economy")), "incomplete=yes")
    assert json.loads(back.tariff.canonical_json)["plans"][0]["caps"] == [{"max": 900, "over": "cycle"}]
    assert "these rules are missing: plans[0].caps[1]" in str(back.assumptions[0])


# --- Published examples -----------------------------------------------------------------------------------------------


def test_two_hours_in_the_northern_quarter_cost_six_pounds_seventy() -> None:
    """The amounts of the published flow: the segment of two hours, and the extension by one hour as a new segment."""
    loaded = imported(example("npp-northern-quarter"), *NPP, "values=cumulative").tariff
    assert fee_minor(loaded, "2022-02-18T08:21", "2022-02-18T10:21") == 670
    assert fee_minor(loaded, "2022-02-18T10:21", "2022-02-18T11:21") == 320
    assert fees(loaded) == fees(ready("uk-manchester-northern-quarter"))


def test_cumulative_values_are_not_taken_for_increments() -> None:
    assert "--assume values=…" in refused(example("npp-northern-quarter"), *NPP)


def test_lines_without_durations_follow_each_other_once_when_somebody_says_so() -> None:
    assert "--assume sequence=…" in refused(example("npp-arndale"), *NPP)
    loaded = imported(example("npp-arndale"), *NPP, "sequence=once").tariff
    # 3.70 + 3 + 2.50 + 3 + 3 + 5.30, the corpus' case npp-6.
    assert fee_minor(loaded, "2022-02-18T08:00", "2022-02-18T13:30") == 2_050


def test_tiers_of_the_sandbox_and_their_abbreviation_ask_for_the_same() -> None:
    tiers = imported(example("sandbox-flat-rate-tier"), *SANDBOX)
    assert [fee_minor(tiers.tariff, "2026-06-01T10:00", f"2026-06-01T{at}") for at in ("10:30", "10:31", "13:00")] == [
        300,
        500,
        700,
    ]
    assert "mixes flatRateTier and incrementingRate" in refused(example("sandbox-combination"), *SANDBOX)
    combined = imported(example("sandbox-combination"), *SANDBOX, "mixed=tiers")
    assert fees(combined.tariff) == fees(tiers.tariff)
    assert any("maxTime: how long a stay may be" in str(loss) for loss in combined.losses)


def test_a_misspelt_field_of_a_line_is_refused_as_it_may_change_the_price() -> None:
    document = example("sandbox-incrementing-rate")
    assert "durationStartTime" in refused(document, *SANDBOX)
    line = document["rateLineCollections"][0]["rateLines"][0]
    line["durationStart"], line["durationEnd"] = line.pop("durationStartTime"), line.pop("durationEndTime")
    loaded = imported(document, *SANDBOX, "restart=cycle").tariff
    assert fee_minor(loaded, "2026-06-01T08:00", "2026-06-01T10:01") == 750
    assert fee_minor(loaded, "2026-06-01T06:00", "2026-06-01T08:00") == 300


def test_a_flat_rate_of_the_sandbox_holds_in_its_hours() -> None:
    loaded = imported(example("sandbox-flat-rate"), *SANDBOX).tariff
    assert fee_minor(loaded, "2026-06-01T07:00", "2026-06-01T15:00") == 650
    assert fee_minor(loaded, "2026-06-01T20:00", "2026-06-02T08:00") == 0


def test_a_maximum_that_only_its_description_tells_is_refused() -> None:
    assert "lines of the types flatRate, incrementingRate" in refused(example("apx-standard-deck"), *DECK)


def test_three_dollars_an_hour_at_most_twenty_four_and_a_flat_evening() -> None:
    document = example("standard-deck-in-fields")
    loaded = imported(document, *DECK)
    assert fee_minor(loaded.tariff, "2026-06-01T06:00", "2026-06-01T17:00") == 2_400
    assert fee_minor(loaded.tariff, "2026-06-01T17:00", "2026-06-01T20:00") == 300 + 1_200
    # The reset at midnight ends the running hour and opens a new maximum.
    assert fee_minor(loaded.tariff, "2026-06-01T19:00", "2026-06-02T00:30") == 1_200 + 300
    assert "a maximum holds from one reset to the next" in str(loaded.assumptions)
    assert {loss.path.rpartition(".")[2] for loss in loaded.losses} == {"availability", "overallStartTime"}
    # The first instant of 2026 in UTC, when it is six hours earlier in Chicago.
    assert json.loads(loaded.tariff.canonical_json)["valid"] == {"from": "2025-12-31T18:00"}


def test_the_deck_without_its_evening_agrees_with_the_corpus() -> None:
    document = example("standard-deck-in-fields")
    del document["rateTables"][1], document["rightSpecification"]["rateEligibility"][0]
    loaded = imported(document, *DECK).tariff
    corpus = json.loads((ROOT / "tests" / "golden" / "tariffs.json").read_text(encoding="utf-8"))["cases"]
    cases = [case for case in corpus if case["tariff"]["ptl"]["id"] == "us-lakeside" and "covered" not in case]
    assert len(cases) >= 4
    for case in cases:
        assert fee_minor(loaded, case["entry"], case["exit"]) == case["expected_fee_minor_units"], case["id"]


# --- Commands ---------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(tariff, list(arguments))


def test_the_commands_round_trip_and_say_what_is_lost(tmp_path: Path) -> None:
    document, back = tmp_path / "apds.json", tmp_path / "back.yaml"
    file = str(LIBRARY / "cn-shenzhen-1.yaml")
    result = run("export-apds", file, "--out", str(document))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "loss: timezone: the zone belongs to the Place" in result.stderr
    assert "dates PH: APDS knows kinds of special days" in result.stderr
    assert run("export-apds", file, "--strict", "--out", str(document)).exit_code == 1
    assert run("import-apds", str(document), "--out", str(back)).exit_code == 0
    assert Tariff.load(back.read_text(encoding="utf-8")).sha256 == ready("cn-shenzhen-1").sha256
    as_json = run("import-apds", str(document), "--out", str(tmp_path / "back.json"))
    assert as_json.exit_code == 0
    assert Tariff.load((tmp_path / "back.json").read_text(encoding="utf-8")).sha256 == ready("cn-shenzhen-1").sha256


@pytest.mark.parametrize("tariff_id", ["08", "1e3", "yes", "null", "12:30", "~", "停车 'a' \"b\" # c: d", "0x10", "-7"])
def test_a_name_that_looks_like_something_else_survives_as_yaml(tariff_id: str, tmp_path: Path) -> None:
    fields = {**json.loads(ready("jp-gspark-day-max").canonical_json), "id": tariff_id}
    document = tmp_path / "apds.json"
    document.write_text(to_json(exported(Tariff.load(json.dumps(fields)))), encoding="utf-8")
    result = run("import-apds", str(document))
    assert Tariff.load(result.stdout).id == tariff_id


def test_import_says_its_assumptions() -> None:
    arguments = [f"--assume={fact}" for fact in (*NPP, "values=cumulative")]
    result = run("import-apds", str(EXAMPLES / "npp-northern-quarter.json"), *arguments)
    assert result.exit_code == 0
    assert "assumption: values=cumulative: a line has no incrementPeriod\n" in result.stderr
    assert "assumption: grace=none: APDS has no field for it\n" in result.stderr
    assert "loss: rateTables[0].availability: a tariff has no field for it\n" in result.stderr
    assert result.stdout.startswith("ptl: 1\nid: northern-quarter\ncurrency: GBP\n")
    assert Tariff.load(result.stdout).currency == "GBP"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["import-apds", "absent.json"], "No such file"),
        (["import-apds", str(EXAMPLES / "npp-arndale.json"), "--assume", "colour=red"], "nothing is assumed about"),
        (["import-apds", str(EXAMPLES / "npp-arndale.json"), "--assume", "grace=soon"], "grace is said once, as none"),
        (["export-apds", "absent.yaml"], "No such file"),
        (["export-apds", str(LIBRARY / "cn-beijing-1.yaml"), "--out", "absent/x.json"], "No such file"),
    ],
)
def test_a_command_refuses_in_one_line(arguments: list[str], line: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, ParkflowError)
    assert line in result.exception.message
    assert "\n" not in result.exception.message


def test_money_is_written_with_the_digits_of_its_currency() -> None:
    text = to_json(export_tariff(ready("uk-manchester-northern-quarter")).document)
    assert '"value": 3.50' in text
    assert '"value": 200,' not in text
    assert re.search(r'"value": 200\n', to_json(export_tariff(ready("jp-komatsu-airport-1")).document))
    assert read_document(text.encode())["rateTables"]
