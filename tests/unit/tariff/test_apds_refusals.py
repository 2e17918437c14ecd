"""APDS 4 from strangers: what could mean two things is refused, and no text does more harm than a refusal."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from parkflow.tariff.apds import (
    DOCUMENT_BYTES_MAX,
    ApdsRefused,
    clock_duration,
    iso_duration,
    minor_of,
    read_document,
    seconds_of,
    to_json,
)
from parkflow.tariff.apds_facts import FACTS, facts_of
from parkflow.tariff.apds_import import import_document
from tests.unit.tariff.apds_world import example, exported, fees, imported, ready

FACTS_ENOUGH = ("timezone=Europe/London", "grace=none", "cycle=stay", "edge=split", "restart=cycle", "tax=included")
Change = Callable[[dict[str, Any]], object]


def deck() -> dict[str, Any]:
    return example("standard-deck-in-fields")


def collection(document: dict[str, Any], table: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = document["rateTables"][table]["rateLineCollections"][0]
    return found


def lines(*kinds_and_bounds: tuple[str, str | None, str | None, str | None]) -> Change:
    def change(document: dict[str, Any]) -> None:
        collection(document)["rateLines"] = [
            {
                "sequence": place + 1,
                "rateLineType": kind,
                "value": 1,
                **{
                    name: text
                    for name, text in (("durationStart", start), ("durationEnd", end), ("incrementPeriod", period))
                    if text is not None
                },
            }
            for place, (kind, start, end, period) in enumerate(kinds_and_bounds)
        ]

    return change


def entries(*changes: dict[str, Any]) -> Change:
    """Changes the entries of rateEligibility, one after the other."""

    def change(document: dict[str, Any]) -> None:
        for entry, fields in zip(document["rightSpecification"]["rateEligibility"], changes, strict=False):
            entry.update(fields)

    return change


def who(*qualifications: dict[str, Any], eligibility_id: str = "who") -> dict[str, Any]:
    return {"eligibility": {"id": eligibility_id, "version": 1, "qualifications": list(qualifications)}}


INCREMENT, TIER, FLAT = "incrementingRate", "flatRateTier", "flatRate"
GROUP = {"userGroup": {"codeListId": {"id": "parkflow:vehicle-class"}, "entryDefinedValue": "large"}}
MONEY = {"currencyType": "USD", "currencyValue": 1}

REFUSED: list[tuple[str, Change]] = [
    ("overlaps the line before", lines((TIER, "00:00", "01:00", "PT1H"), (TIER, "00:30", "02:00", "PT90M"))),
    ("the tiers overlap", lines((INCREMENT, "00:00", None, "PT1H"), (INCREMENT, "01:00", None, "PT1H"))),
    ("leaves a gap", lines((TIER, "00:00", "01:00", "PT1H"), (TIER, "01:30", "02:00", "PT30M"))),
    ("leaves a gap", lines((TIER, "00:30", "01:00", "PT30M"))),
    ("ends before it starts", lines((TIER, "00:00", "00:00", "PT1H"))),
    ("types flatRate, flatRateTier", lines((TIER, "00:00", "01:00", "PT1H"), (FLAT, None, None, None))),
    ("--assume mixed=", lines((TIER, "00:00", "01:00", "PT1H"), (INCREMENT, "01:00", None, "PT1H"))),
    ("--assume unit=", lines(("perUnit", None, None, "PT1H"))),
    ("2 flatRate lines overlap", lines((FLAT, None, None, None), (FLAT, None, None, None))),
    ("some lines have durations and some", lines((TIER, "00:00", "01:00", "PT1H"), (TIER, None, None, "PT1H"))),
    ("its incrementPeriod is not its length", lines((TIER, "00:00", "01:00", "PT30M"))),
    ("says how long a unit is", lines((INCREMENT, None, None, None))),
    ("must be longer than nothing", lines((INCREMENT, None, None, "PT0S"))),
    ("is not a duration", lines((INCREMENT, None, None, "P1M"))),
    ("is not a duration", lines((INCREMENT, "0:0", None, "PT1H"))),
    ("longer than ten years", lines((INCREMENT, None, None, "PT999999H"))),
    ("rateLines.0.rateLineType", lines(("multiplier", None, None, "PT1H"))),
    ("at most 64", lines(*[(INCREMENT, None, None, "PT1H")] * 65)),
    (
        "has more than 2 decimals",
        lambda d: collection(d)["rateLines"][0].update(value=read_document(b'{"a":3.001}')["a"]),
    ),
    ("is negative or too large", lambda d: collection(d)["rateLines"][0].update(value=-3)),
    ("is negative or too large", lambda d: collection(d)["rateLines"][0].update(value=10**11)),
    ("needs a number", lambda d: collection(d)["rateLines"][0].update(value="3.00")),
    ("needs a number", lambda d: collection(d)["rateLines"][0].update(value=True)),
    ("rateLineTax", lambda d: collection(d)["rateLines"][0].update(rateLineTax={"taxIncluded": True})),
    ("is in another currency", lambda d: collection(d)["maxValueCollection"].update(currencyType="EUR")),
    ("a tariff has one currency", lambda d: collection(d, 1).update(applicableCurrency="EUR")),
    ("different reset times", lambda d: collection(d).update(resetTime="06:00")),
    ("resetTime", lambda d: collection(d).update(resetTime="24:00")),
    ("--assume cycle=", lambda d: [collection(d, table).pop("resetTime") for table in (0, 1)]),
    ("--assume tax=", lambda d: [collection(d, table).pop("taxIncluded") for table in (0, 1)]),
    ("taxRate does not say how much", lambda d: [collection(d, table).update(taxIncluded=False) for table in (0, 1)]),
    ("the tables differ in taxIncluded or taxRate", lambda d: collection(d).update(taxRate=20)),
    ("a minimum of one table among several", lambda d: collection(d).update(minValueCollection=MONEY)),
    ("maxValue of a line among others", lambda d: collection(d)["rateLines"][0].update(maxValue=5)),
    ("collections that follow each other", lambda d: d["rateTables"][0]["rateLineCollections"].append(collection(d))),
    ("a second table", lambda d: d["rateTables"].append(d["rateTables"][0])),
    ("which is not here", lambda d: d["rateTables"].pop()),
    ("which one applies is not said", lambda d: d.pop("rightSpecification")),
    ("need a priority each", lambda d: d["rightSpecification"]["rateEligibility"][0].pop("priority")),
    ("a priority is given twice", entries({"priority": 2})),
    ("some tables are combinable and some are not", entries({"combinable": True})),
    ("whether one or all of several must hold", entries(who({"vehicleTypes": ["car"]}, {"vehicleTypes": ["bus"]}))),
    ("no vehicle type of APDS", entries(who({"vehicleTypes": ["spaceship"]}))),
    ("cannot hold together", entries(who({"vehicleTypes": ["car"], "userQualifications": [GROUP]}))),
    ("heightCharacteristics", entries(who({"heightCharacteristics": []}))),
    ("two eligibilities with the id who", entries(who({"vehicleTypes": ["car"]}), who({"vehicleTypes": ["bus"]}))),
    ("the table is suspended", lambda d: d["rateTables"][1]["validity"].update(validityStatus="suspended")),
    ("applicableMonth", lambda d: period(d).update(recurringDayWeekMonthPeriod=[{"applicableMonth": ["may"]}])),
    ("runs over midnight", lambda d: window(d).update(startTimeOfPeriod="22:00", endTimeOfPeriod="06:00")),
    ("the dates of special days", lambda d: period(d).update(recurringSpecialDay=[{"specialDayType": "schoolDay"}])),
    ("startOfPeriod", lambda d: period(d).update(startOfPeriod="2026-01-01T00:00:00Z")),
]


def period(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["rateTables"][1]["validity"]["validityTimeSpecification"]["validPeriods"][0]
    return found


def window(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = period(document)["recurringTimePeriodOfDay"][0]
    return found


@pytest.mark.parametrize(
    ("message", "change"), REFUSED, ids=[f"{place}-{text}" for place, (text, _) in enumerate(REFUSED)]
)
def test_what_could_mean_two_things_is_refused(message: str, change: Change) -> None:
    document = deck()
    facts = [fact for fact in FACTS_ENOUGH if not fact.startswith(("cycle", "tax"))]
    import_document(copy.deepcopy(document), facts_of(facts))
    change(document)
    with pytest.raises(ApdsRefused) as refusal:
        import_document(document, facts_of(facts))
    assert message in refusal.value.message
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{'a': 1}", "is not JSON"),
        (b'{"a": NaN}', "NaN is not a number of JSON"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b'{"a": 1e99999999999999999999}', "out of all bounds"),
        (b'{"a": 1, "a": 2}', "the field a is given twice"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "is not JSON"),
        (b"\xff{}", "is not UTF-8"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper than 32"),
        (b"[" * 100_000, "nested deeper than 32"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "at most 4194304 are read"),
        (b"{}", "rateTables: Field required"),
        (b'{"data": []}', "rateTables: List should have at least 1 item"),
        (b'{"data": 7}', "rateTables: Input should be a valid list"),
        (b'{"rateLineCollections": []}', "rateTables.0.id: Field required"),
        (b'{"x-parkflow": 1}', "x-parkflow: is not of the format"),
        (b'{"x-parkflow": {"format": "parkflow apds 1"}}', "is not a tariff"),
        (b'{"x-parkflow": {"format": "parkflow apds 1", "tariff": {"minor_exponent": 2}}}', "the tariff made of it"),
        (
            b'{"x-parkflow": {"format": "parkflow apds 1", "tariff": {"minor_exponent": 2, "a": 0.5}}}',
            "holds fractions",
        ),
    ],
)
def test_a_text_of_another_kind_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ApdsRefused) as refusal:
        import_document(read_document(content), facts_of(()))
    assert message in refusal.value.message
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    ("number", "exponent", "minor"),
    [
        ("6.7", 2, 670),
        ("6.70", 2, 670),
        ("3", 2, 300),
        ("1e2", 2, 10_000),
        ("150", 0, 150),
        ("1.234", 3, 1_234),
        ("0", 2, 0),
    ],
)
def test_decimal_text_becomes_minor_units_exactly(number: str, exponent: int, minor: int) -> None:
    assert minor_of(read_document(f'{{"a": {number}}}'.encode())["a"], exponent, "a") == minor


@pytest.mark.parametrize(
    ("number", "exponent"),
    [
        ("6.701", 2),
        ("150.5", 0),
        ("1e-3", 2),
        ("1e999999", 2),
        ("1e-999999", 2),
        ("-0.01", 2),
        ("6.70000000000000000000000000001", 2),
    ],
)
def test_an_amount_that_the_currency_does_not_have_is_refused(number: str, exponent: int) -> None:
    with pytest.raises(ApdsRefused):
        minor_of(read_document(f'{{"a": {number}}}'.encode())["a"], exponent, "a")


@pytest.mark.parametrize("seconds", [60, 3_600, 5_400, 86_400, 90_000, 604_800])
def test_a_duration_is_read_as_it_was_written(seconds: int) -> None:
    assert seconds_of(clock_duration(seconds) or "", "a") == seconds_of(iso_duration(seconds), "a") == seconds
    assert clock_duration(seconds + 1) is None
    assert seconds_of(iso_duration(seconds + 1), "a") == seconds + 1


def test_who_may_use_a_table_becomes_the_condition_of_a_plan() -> None:
    document = deck()
    member = {"userGroup": {"entryDefinedValue": "member"}}
    entries(who({"vehicleTypes": ["bus"]}), who({"userQualifications": [member]}, eligibility_id="members"))(document)
    loaded = imported(document, "timezone=Europe/London", "grace=<10", "edge=split")
    plans = json.loads(loaded.tariff.canonical_json)["plans"]
    assert [plan["id"] for plan in plans] == ["who", "members"]
    assert [plan["if"] for plan in plans] == [{"class": ["bus"]}, {"tag": ["member"]}]
    assert plans[0]["grace"] == {"minutes": 10, "strict": True}
    said = [str(assumption) for assumption in loaded.assumptions]
    assert "assumption: tag member: stays of this user group carry the tag" in said


def test_tables_that_can_be_combined_make_the_cheapest_win() -> None:
    document = deck()
    entries({"combinable": True}, {"combinable": True})(document)
    del document["rateTables"][1]["validity"]
    fields = json.loads(imported(document, "timezone=Europe/London", "grace=none").tariff.canonical_json)
    assert fields["choose"] == "lowest"
    assert [plan["id"] for plan in fields["plans"]] == ["evening", "day"]


def test_tax_is_a_percentage() -> None:
    document = deck()
    for table in (0, 1):
        collection(document, table).update(taxIncluded=False, taxRate=read_document(b'{"a": 8.25}')["a"])
    fields = json.loads(imported(document, "timezone=Europe/London", "grace=none", "edge=split").tariff.canonical_json)
    assert fields["tax"] == {"rate_bp": 825, "mode": "added"}


def test_no_broken_document_does_more_than_be_refused() -> None:
    """400 documents, each with a few parts replaced, removed or doubled."""
    dice = random.Random(20260601)
    names = ("cn-beijing-1", "us-grand-rapids-economy", "uk-manchester-northern-quarter")
    originals = [deck(), *(exported(ready(name), extension=kept) for name in names for kept in (True, False))]
    outcomes = [broken_outcome(copy.deepcopy(dice.choice(originals)), dice) for _ in range(400)]
    assert not any("\n" in outcome for outcome in outcomes)
    assert 20 < outcomes.count("") < 380


def broken_outcome(document: dict[str, Any], dice: random.Random) -> str:
    """The refusal of the document after it was broken; empty when it is imported all the same."""
    for _ in range(dice.randint(1, 3)):
        break_something(document, dice)
    try:
        return imported(read_document(to_json(document).encode()), *SAID_FACTS).tariff.canonical_json[:0]
    except ApdsRefused as error:
        return error.message


SAID = {
    "timezone": "Europe/London", "grace": "10", "cycle": "24h", "edge": "carry", "restart": "cycle", "mixed": "tiers",
    "values": "increments", "sequence": "once", "beyond": "free", "unit": "started", "min": "stay", "tax": "included",
    "incomplete": "yes",
}  # fmt: skip
SAID_FACTS = tuple(f"{name}={value}" for name, value in SAID.items())
PARTS: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    7,
    10**30,
    "",
    "00:00",
    "PT1H",
    "\x00",
    "x" * 300,
    [],
    {},
    [[]],
    {"a": 1},
)


def break_something(document: dict[str, Any], dice: random.Random) -> None:
    at: Any = document
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return
        key = dice.choice(keys)
        if isinstance(at[key], dict | list) and dice.random() < 0.85:
            at = at[key]
            continue
        match dice.randrange(3):
            case 0:
                at[key] = copy.deepcopy(dice.choice(PARTS))
            case 1:
                del at[key]
            case _ if isinstance(at, list):
                at.append(copy.deepcopy(at[key]))
            case _:
                at["added"] = copy.deepcopy(at[key])
        return


def test_every_fact_that_is_asked_for_can_be_said() -> None:
    assert set(SAID) == set(FACTS)
    assert facts_of(SAID_FACTS).said == SAID
    assert fees(imported(deck(), "timezone=UTC", "grace=none", "edge=split").tariff)
