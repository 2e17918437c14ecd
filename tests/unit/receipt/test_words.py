"""What a receipt says to people: in each language the same things, every line by the tariff's own rule."""

import json
import re
import string
from pathlib import Path
from typing import Any

import pytest

from parkflow import core
from parkflow.receipt.document import make, read
from parkflow.receipt.line_words import LINE_KINDS
from parkflow.receipt.terminal import as_text
from parkflow.receipt.texts import TEXTS
from parkflow.receipt.words import ReceiptNotTellable, language_of, statement
from tests.receipts import hangzhou, library, receipt_of, receipt_of_fee

ROOT = Path(__file__).parents[3]
CASES = json.loads((ROOT / "tests" / "golden" / "tariffs.json").read_text(encoding="utf-8"))["cases"]
LANGUAGES = sorted(TEXTS)
every_language = pytest.mark.parametrize("language", LANGUAGES)


def ptl(**changes: object) -> str:
    """A tariff of 1.00 an hour, all day, with changes to its one plan (in lower case) or to itself (`TAX`)."""
    plan: dict[str, Any] = {
        "id": "p",
        "cycle": "stay",
        "edge": "split",
        "bands": [{"id": "all", "ladder": [{"unit": 60, "price": 100}]}],
    }
    plan |= {name: value for name, value in changes.items() if name.islower()}
    head = {"ptl": 1, "id": "t", "currency": "EUR", "minor_exponent": 2, "timezone": "Europe/Berlin", "plans": [plan]}
    return json.dumps(head | {name.lower(): value for name, value in changes.items() if name.isupper()})


def told(text: str, *, language: str = "en", terms: core.Terms | None = None, hours: int = 5) -> list[tuple[str, ...]]:
    """(title, detail, amount) of each line of a stay from 08:00 on 2026-03-02, a Monday."""
    receipt = receipt_of(text, "2026-03-02T08:00", f"2026-03-0{2 + hours // 24}T{8 + hours % 24:02d}:00", terms=terms)
    return [(line.title, line.detail, line.amount) for line in statement(receipt, language).lines]


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@every_language
def test_every_language_has_the_same_keys_with_the_same_values(language: str) -> None:
    english, other = TEXTS["en"], TEXTS[language]
    assert list(other) == list(english)
    assert {key: fields_of(text) for key, text in other.items()} == {key: fields_of(english[key]) for key in english}
    # Words stand apart in English; the parts of a length do not in Chinese.
    assert {key for key, text in other.items() if not text} <= {"length_joint"}


def test_every_text_is_used() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "parkflow" / "receipt").iterdir())
        if path.suffix in (".py", ".html") and path.name != "texts.py"
    )
    composed = re.compile(
        r"(class|tag|band|state|over|mode|month|discount|grace|cap|tariff)_\w+|\w+_detail|(mon|tue|wed|thu|fri|sat|sun)"
    )
    unused = [key for key in TEXTS["en"] if not re.search(rf"\b{key}\b", sources) and not composed.fullmatch(key)]
    assert unused == []


def test_every_kind_of_line_of_the_engine_can_be_told() -> None:
    source = (ROOT / "core_rs" / "parkflow-core" / "src" / "tariff" / "lines.rs").read_text(encoding="utf-8")
    assert sorted(re.findall(r'Self::\w+ => "(\w+)"', source)) == sorted(LINE_KINDS)


@every_language
def test_the_lines_of_every_published_case_are_told(language: str) -> None:
    plain = []
    for case in CASES:
        tariff = core.Tariff.load(json.dumps(case["tariff"]["ptl"]))
        for stay in case.get("stays", [case]):
            fee = _fee(tariff, {**case, **stay})
            shown = statement(receipt_of_fee(tariff, fee), language)
            assert shown.right, case["id"]
            assert all(line.title and line.detail for line in shown.lines), case["id"]
            plain += [case["id"] for line in shown.lines if line.detail == plain_units(language, line.detail)]
    # Where units are priced together at the end (`edge: total`), the rest of the last one has no price of its own.
    assert set(plain) <= {"oc-14"}


def plain_units(language: str, detail: str) -> str | None:
    """The detail, if it is the one that says only how many units there were."""
    pattern = re.escape(TEXTS[language]["units_plain"]).replace(r"\{band\}", ".*").replace(r"\{units\}", "[0-9]+")
    return detail if re.fullmatch(pattern, detail) else None


def _fee(tariff: core.Tariff, given: dict[str, Any]) -> core.Fee:
    def second(text: str) -> int:
        found = tariff.instant_s(text)
        assert found is not None
        return found

    terms = core.Terms(
        covered=[(second(start), second(end)) for start, end in given.get("covered", ())],
        vouchers=[(voucher["kind"], voucher["value"]) for voucher in given.get("vouchers", ())],
        paid=[(second(payment["at"]), payment["amount"]) for payment in given.get("paid", ())],
    )
    return tariff.settle(
        entry_s=second(given["entry"]),
        exit_s=second(given["exit"]),
        vehicle_class=given.get("vehicle_class"),
        tags=given.get("tags", ()),
        terms=terms,
    )


def test_a_ladder_is_told_step_by_step() -> None:
    lines = [(line.title, line.detail, line.amount) for line in statement(hangzhou(), "zh").lines]
    assert lines == [
        ("3月2日 18:10 – 19:10", "白天（08:00–20:00）：2 × 30分钟，单价 5.00", "10.00"),
        ("3月2日 19:10 – 20:00", "白天（08:00–20:00）：2 × 30分钟，单价 6.00", "12.00"),
        ("3月2日 20:00 – 21:05", "夜间：按次收费 5.00", "5.00"),
    ]


@pytest.mark.parametrize(
    ("text", "title", "detail", "amount"),
    [
        (ptl(grace={"minutes": 300}), "Short stay", "costs nothing up to 5 h", "0.00"),
        (ptl(grace={"minutes": 301, "strict": True}), "Short stay", "costs nothing below 5 h 1 min", "0.00"),
        (ptl(free={"minutes": 90, "per": "stay"}), "2 Mar, 08:00 – 09:30", "free minutes", "0.00"),
        (ptl(entry_fee=250), "Entry fee", "charged once a stay costs anything", "2.50"),
        (
            ptl(bands=[{"id": "all", "ladder": [{"unit": 60, "price": 100, "bill": "90s"}]}]),
            "2 Mar, 08:00 – 13:00",
            "any time: 200 × 1 min 30 s at 1.00 for 1 h",
            "5.00",
        ),
        (
            ptl(bands=[{"id": "x", "when": {"from": "08:00", "to": "20:00", "days": ["mon-fri"]}, "ladder": []},
                       {"id": "y", "ladder": [{"unit": "all", "price": 7}]}], entry_fee=3),
            None, "", "",
        ),
        (
            ptl(caps=[{"max": 300, "over": "stay"}]),
            "Maximum",
            "maximum 3.00 for the stay; more is not charged",
            "−2.00",
        ),
        (
            ptl(caps=[{"max": [100, None], "over": {"every": 120, "anchor": "entry"}}]),
            "Maximum",
            "maximum 1.00, then none for each 2 h; more is not charged",
            "−1.00",
        ),
        (
            ptl(caps=[{"max": 300, "over": {"weekly": "mon 04:00"}}]),
            "Maximum",
            "maximum 3.00 a week (weeks turn at Mon 04:00); more is not charged",
            "−2.00",
        ),
        (ptl(min=1_000), "Minimum fee", "a stay that is charged costs at least 10.00", "5.00"),
        (ptl(ROUND={"to": 200, "mode": "up"}), "Rounding", "up to a multiple of 2.00", "1.00"),
        (ptl(TAX={"rate_bp": 1_950, "mode": "added"}), "Tax", "19.5 %, added to the prices", "0.98"),
    ],
)  # fmt: skip
def test_a_line_names_its_rule_and_numbers(text: str, title: str | None, detail: str, amount: str) -> None:
    lines = told(text)
    if title is None:
        assert lines == []
    else:
        assert (title, detail, amount) in lines


def test_vouchers_and_payments_are_told() -> None:
    terms = core.Terms(vouchers=[("percent", 1_250), ("amount", 100)], paid=[(1_772_440_000, 50)])
    assert told(ptl(), terms=terms)[1:] == [
        ("Voucher", "12.5 % off", "−0.62"),
        ("Voucher", "1.00 off", "−1.00"),
        ("Paid or charged before", "for the same stay or chain of stays", "−0.50"),
    ]


def test_an_hour_that_the_clock_repeats_is_told_with_its_offsets() -> None:
    receipt = receipt_of(ptl(), "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00")
    shown = statement(receipt, "en")
    assert shown.lines[0].title == "25 Oct, 02:30 (UTC+02:00) – 02:30 (UTC+01:00)"
    assert "UTC+02:00 at entry, UTC+01:00 at exit" in shown.facts[-2].value


def test_free_times_included_tax_and_the_tariffs_clock_are_noted() -> None:
    meter = receipt_of(library("us-charlottesville-2017"), "2017-10-20T07:40:12", "2017-10-20T08:12:45")
    assert statement(meter, "en").notes == ["Times without a line cost nothing."]
    taxed = receipt_of(ptl(TAX={"rate_bp": 1_900, "mode": "included"}), "2026-03-02T08:00", "2026-03-02T13:00")
    assert statement(taxed, "en").notes == ["The fee contains 19 % tax: 0.80."]
    clock = ptl(CLOCK={"step": 60, "entry": "ceil", "exit": "floor"})
    counted = receipt_of(clock, "2026-03-02T08:00:01", "2026-03-02T09:00:59")
    assert statement(counted, "en").notes == ["The tariff counts from 2 Mar, 08:01 to 2 Mar, 09:00."]


def test_a_cap_over_several_stays_says_that_earlier_ones_counted() -> None:
    trips, history = library("uk-stagecoach-day-week"), core.AccountHistory()
    receipt_of(trips, "2026-03-02T07:00", "2026-03-02T07:40", history=history)
    shown = statement(receipt_of(trips, "2026-03-02T17:00", "2026-03-02T17:50", history=history), "en")
    assert shown.right
    assert shown.lines[-1].detail == (
        "maximum 4.50 a day (days turn at 00:00), earlier stays counted; more is not charged"
    )
    assert "earlier stays" in shown.notes[-1]


@pytest.mark.parametrize(("exponent", "shown"), [(0, "1,234"), (2, "12.34"), (3, "1.234")])
def test_amounts_have_the_digits_of_their_currency(exponent: int, shown: str) -> None:
    text = ptl(bands=[{"id": "all", "ladder": [{"unit": "all", "price": 1_234}]}], MINOR_EXPONENT=exponent)
    assert told(text)[0][2] == shown


def test_a_receipt_that_does_not_recompute_says_so() -> None:
    document = json.loads(hangzhou().to_json())
    document["calculation"]["record"]["fee_minor"] = 2_600
    shown = statement(read(json.dumps(document).encode()), "en")
    assert not shown.right
    assert shown.verdict.startswith("Warning")


def test_a_receipt_whose_tariff_is_none_cannot_be_told() -> None:
    document = json.loads(hangzhou().to_json())
    document["calculation"]["tariff"]["canonical_json"] = "{}"
    with pytest.raises(ReceiptNotTellable):
        statement(make(document["calculation"], document["settlement"]), "en")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr, zh-Hant;q=0.5, en;q=0.4", "zh"),
        ("fr,*;q=0.1", "en"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense, en;q=0.1", "en"),
        ("zh;q=²", "en"),
        (";;,,;q=1", "en"),
    ],
)
def test_the_language_is_the_one_that_is_wanted_most(header: str, language: str) -> None:
    assert language_of(header) == language


@every_language
def test_the_terminal_gets_no_control_characters_and_straight_columns(language: str) -> None:
    receipt = receipt_of(library("cn-hangzhou-core"), "2026-03-02T18:10", "2026-03-02T21:05", lot="P\x1b[31m\n1")
    text = as_text(statement(receipt, language))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "27.00 CNY" in text
