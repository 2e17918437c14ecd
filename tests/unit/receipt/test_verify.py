"""Computing a fee again from its receipt: nothing can be changed unnoticed, and what differs is named."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from parkflow import core
from parkflow.receipt.document import Receipt, ReceiptUnreadable, calculation_sha256, read
from parkflow.receipt.verify import Outcome, verify
from tests.receipts import GOLDEN, hangzhou, library, receipt_of

Path = tuple[str | int, ...]
ALL_FIELDS = json.dumps(
    {
        "ptl": 1,
        "id": "all",
        "currency": "EUR",
        "minor_exponent": 2,
        "timezone": "Europe/Berlin",
        "plans": [
            {
                "id": "p",
                "cycle": "stay",
                "edge": "split",
                "free": {"minutes": 10, "per": "stay"},
                "entry_fee": 50,
                "bands": [{"id": "all", "ladder": [{"unit": 30, "price": 133, "bill": 1}]}],
                "caps": [{"max": 1000, "over": {"daily": "00:00"}}],
            }
        ],
        "round": {"to": 10, "mode": "up"},
        "tax": {"rate_bp": 1900, "mode": "added"},
    }
)


def with_terms() -> Receipt:
    terms = core.Terms(
        covered=[(1_772_442_000, 1_772_443_800)],
        vouchers=[("percent", 1_000), ("amount", 20)],
        vouchers_as_given=True,
        paid=[(1_772_442_100, 100)],
    )
    return receipt_of(ALL_FIELDS, "2026-03-02T09:00", "2026-03-03T15:20", tags=("guest",), terms=terms)


def with_history() -> Receipt:
    """The second trip of a day: a cap over the account leaves it less than its price."""
    trips, history = library("uk-stagecoach-day-week"), core.AccountHistory()
    receipt_of(trips, "2026-03-02T07:00", "2026-03-02T07:40", history=history)
    return receipt_of(trips, "2026-03-02T17:00", "2026-03-02T17:50", history=history)


EXAMPLES = {"hangzhou": hangzhou(), "with_terms": with_terms(), "with_history": with_history()}


def leaves(value: object, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, (*path, name))
    elif isinstance(value, list) and value:
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index))
    else:
        yield path


def at(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def others(value: object) -> list[object]:
    """Values near to one, of the same type where there are any."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1, -value or 7, 0 if value else 9]
        case str():
            return [value + "x", value[:-1], value.upper() if value != value.upper() else value.lower()]
        case list():
            return [["x"], [[1, 2]]]
        case _:
            return [0, "x"]


def changed(receipt: Receipt, path: Path, value: object, *, rehash: bool = False) -> Receipt:
    document = copy.deepcopy(receipt.document)
    at(document, path[:-1])[path[-1]] = value
    if rehash:
        document["calculation_sha256"] = calculation_sha256(document["calculation"])
    return read(json.dumps(document).encode())


def is_noticed(receipt: Receipt, path: Path, value: object, *, rehash: bool = False) -> bool:
    try:
        return not verify(changed(receipt, path, value, rehash=rehash)).same
    except ReceiptUnreadable:
        return True


def codes(outcome: Outcome) -> list[str]:
    return [difference.code for difference in outcome.differences]


def test_the_golden_receipt_recomputes() -> None:
    outcome = verify(read(GOLDEN.read_bytes()))
    assert outcome.differences == []
    assert outcome.fee_minor == 2_700


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_change_of_any_field_is_noticed(name: str) -> None:
    receipt = EXAMPLES[name]
    assert verify(receipt).same
    paths = [path for path in leaves(receipt.document) if path[0] != "settlement"]
    assert len(paths) >= 40
    missed = [
        (path, value)
        for path in paths
        for value in others(at(receipt.document, path))
        if value != at(receipt.document, path) and not is_noticed(receipt, path, value)
    ]
    assert missed == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_result_cannot_be_changed_together_with_the_hash(name: str) -> None:
    """Names, events and inputs without effect are as good as whoever gave the receipt; results are facts."""
    receipt = EXAMPLES[name]
    record = ("calculation", "record")
    facts = ["currency", "entry_s", "exit_s", "fee_minor", "lines", "plan", "tariff_id", "tariff_sha256", "timezone"]
    paths = [path for path in leaves(receipt.document) if path[:2] == record and path[2] in facts]
    paths += [("calculation", end, what) for end in ("entry", "exit") for what in ("local",)]
    paths += [("calculation", "tariff", what) for what in ("canonical_json", "minor_exponent")]
    missed = [
        (path, value)
        for path in paths
        for value in others(at(receipt.document, path))
        if value != at(receipt.document, path) and not is_noticed(receipt, path, value, rehash=True)
    ]
    assert missed == []


def test_a_cheaper_tariff_with_its_own_hash_does_not_give_the_fee() -> None:
    receipt = EXAMPLES["hangzhou"]
    text = receipt.calculation.tariff.canonical_json.replace('"price":500,"unit":30', '"price":400,"unit":30')
    document = copy.deepcopy(receipt.document)
    document["calculation"]["tariff"]["canonical_json"] = text
    document["calculation"]["record"]["tariff_sha256"] = core.Tariff.load(text).sha256
    document["calculation_sha256"] = calculation_sha256(document["calculation"])
    outcome = verify(read(json.dumps(document).encode()))
    assert str(outcome.differences[0]) == "record_differs: calculation.record.fee_minor says 2700, computed 2500"


def test_a_fee_under_a_shared_cap_needs_what_earlier_stays_used() -> None:
    receipt = EXAMPLES["with_history"]
    assert receipt.calculation.record.fee_minor == 100
    assert receipt.calculation.record.history is not None
    document = copy.deepcopy(receipt.document)
    del document["calculation"]["record"]["history"]
    document["calculation_sha256"] = calculation_sha256(document["calculation"])
    first = verify(read(json.dumps(document).encode())).differences[0]
    assert (first.field, first.said, first.computed) == ("calculation.record.fee_minor", "100", "350")
    document["calculation"]["record"]["history"] = {"uses": "all"}
    assert "history_invalid" in verify(read(json.dumps(document).encode())).differences[0].computed


def test_the_first_difference_is_named_with_both_values() -> None:
    path = ("calculation", "record", "lines", 1, "amount_minor")
    outcome = verify(changed(EXAMPLES["hangzhou"], path, 1_100, rehash=True))
    assert codes(outcome) == ["record_differs", "lines_do_not_sum"]
    first = outcome.differences[0]
    assert (first.field, first.said, first.computed) == ("calculation.record.lines[1].amount_minor", "1100", "1200")


def test_a_line_too_few_is_noticed() -> None:
    lines = EXAMPLES["hangzhou"].document["calculation"]["record"]["lines"][:2]
    outcome = verify(changed(EXAMPLES["hangzhou"], ("calculation", "record", "lines"), lines, rehash=True))
    assert outcome.differences[0].field == "calculation.record.lines.length"


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("calculation", "lot", "name"), "Elsewhere", "calculation_hash_differs"),
        (("calculation", "tariff", "canonical_json"), "no: tariff", "tariff_refused"),
        (("calculation", "tariff", "minor_exponent"), 0, "tariff_differs"),
        (("calculation", "record", "tariff_sha256"), "00" * 32, "tariff_hash_differs"),
        (("calculation", "record", "vehicle_class"), "tram", "stay_not_priced"),
        (("calculation", "record", "vouchers"), [["gold", 1]], "stay_not_priced"),
        (("calculation", "record", "exit_s"), 0, "stay_not_priced"),
        (("calculation", "entry", "at"), "2026-03-02T10:10:01.000Z", "instant_differs"),
        (("calculation", "exit", "local"), "2026-03-02T21:05:00+09:00", "local_time_differs"),
        (("settlement", "gross_minor"), 2_800, "settlement_differs"),
        (("settlement", "net_minor"), 2_600, "settlement_differs"),
        (("settlement", "orders", 0, "amount_minor"), 1, "settlement_differs"),
    ],
)
def test_what_differs_has_a_stable_code(path: Path, value: object, code: str) -> None:
    assert codes(verify(changed(EXAMPLES["hangzhou"], path, value)))[0] == code


def test_a_tariff_text_in_another_form_is_not_canonical() -> None:
    path = ("calculation", "tariff", "canonical_json")
    spaced = at(EXAMPLES["hangzhou"].document, path).replace('{"', '{ "')
    assert codes(verify(changed(EXAMPLES["hangzhou"], path, spaced)))[0] == "tariff_not_canonical"


def test_a_gates_milliseconds_are_not_priced() -> None:
    path = ("calculation", "entry", "at")
    assert verify(changed(EXAMPLES["hangzhou"], path, "2026-03-02T10:10:00.999Z", rehash=True)).same


def test_another_tz_database_is_a_warning_that_says_whether_the_fee_is_the_same() -> None:
    older = changed(EXAMPLES["hangzhou"], ("calculation", "record", "tzdata_version"), "1999a", rehash=True)
    outcome = verify(older)
    assert outcome.same
    assert [warning.code for warning in outcome.warnings] == ["tzdata_differs"]
    assert "1999a" in outcome.warnings[0].text
    assert outcome.warnings[0].text.endswith("the fee is the same")
    dearer = verify(changed(older, ("calculation", "record", "fee_minor"), 2_800, rehash=True))
    assert dearer.warnings[0].text.endswith("the fee is not the same")
    assert not dearer.same


def test_values_in_a_message_are_short_and_on_one_line() -> None:
    path = ("calculation", "record", "plan")
    outcome = verify(changed(EXAMPLES["hangzhou"], path, "car\n\x1b[31m" + "x" * 5_000))
    assert str(outcome.differences[0]).isprintable()
    assert len(str(outcome.differences[0])) < 300
