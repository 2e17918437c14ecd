"""docs/tariffs.md: every example is a tariff without warnings, costs what stands below it, and no field is left out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest

from parkflow.core import AccountHistory, Tariff, TariffError, Terms
from parkflow.tariff.templates import ready_texts

TEXT: Final = (Path(__file__).parents[3] / "docs" / "tariffs.md").read_text(encoding="utf-8")
BLOCK: Final = re.compile(r"```yaml\n(.*?)```\n(.*?)(?=```yaml|\Z)", re.DOTALL)
MONDAY: Final = date(2026, 5, 4)
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Example:
    name: str
    text: str
    stays: tuple[Mapping[str, str], ...]


def examples() -> Iterator[Example]:
    for text, after in BLOCK.findall(TEXT):
        # The table of an example follows it at once.
        table = after.split("\n\n")[0].strip()
        head, _, *rows = [cells(line) for line in table.splitlines()]
        [name] = re.findall(r"(?m)^id: (\S+)", text)
        yield Example(name, text, tuple(dict(zip(head, row, strict=True)) for row in rows))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def load(text: str) -> Tariff:
    return Tariff.load(text, ready_texts())


def instant_s(tariff: Tariff, text: str) -> int:
    day, time = text.split()
    local = MONDAY + timedelta(DAYS.index(day)) if day in DAYS else date.fromisoformat(day)
    found = tariff.instant_s(f"{local}T{time}")
    assert found is not None, text
    return found


def minor(tariff: Tariff, text: str) -> int:
    whole, _, part = text.partition(".")
    assert len(part) == tariff.minor_exponent, text
    return int(whole + part)


def terms(tariff: Tariff, stay: Mapping[str, str]) -> Terms:
    paid = [text.split(" at ") for text in stay.get("paid", "").split(", ") if text]
    covered = [text.split(" to ") for text in stay.get("pass", "").split(", ") if text]
    vouchers = [text.split() for text in stay.get("vouchers", "").split(", ") if text]
    return Terms(
        paid=[(instant_s(tariff, at), minor(tariff, amount)) for amount, at in paid],
        covered=[(instant_s(tariff, start), instant_s(tariff, end)) for start, end in covered],
        vouchers=[(kind, int(value)) for kind, value in vouchers],
    )


def outcome(tariff: Tariff, stay: Mapping[str, str], history: AccountHistory) -> int | str:
    try:
        return tariff.settle(
            entry_s=instant_s(tariff, stay["entry"]),
            exit_s=instant_s(tariff, stay["exit"]),
            vehicle_class=stay.get("class") or None,
            tags=[stay["tag"]] if stay.get("tag") else [],
            terms=terms(tariff, stay),
            history=history,
        ).fee_minor
    except TariffError as error:
        return f"refused: {error.code}"


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_an_example_costs_what_stands_below_it(example: Example) -> None:
    tariff = load(example.text)
    assert tariff.warnings == []
    assert example.stays
    accounts: dict[str, AccountHistory] = {}
    for stay in example.stays:
        account = stay.get("account", "")
        history = accounts.setdefault(account, AccountHistory()) if account else AccountHistory()
        expected = stay["fee"] if stay["fee"].startswith("refused") else minor(tariff, stay["fee"])
        assert outcome(tariff, stay, history) == expected, stay


def test_every_section_has_its_example() -> None:
    sections = re.findall(r"(?m)^## (\d+)\..*?$", TEXT)
    assert sections == [str(number) for number in range(1, 17)]
    assert len(list(examples())) >= 25


PLAN: Final = """ptl: 1
id: t
currency: EUR
minor_exponent: 2
timezone: UTC
plans:
- {id: p, cycle: stay, edge: split, PLAN
   bands: [{id: b, BAND ladder: [{unit: 1, price: 1, STEP}]}],
   caps: [{max: 1, over: stay, CAP}]}
"""
UNKNOWN: Final = "no_such_field: 1"


@pytest.mark.parametrize(
    ("title", "place", "unknown"),
    [
        ("Tariff", "ptl: 1", f"ptl: 1\n{UNKNOWN}"),
        ("Plan", "PLAN", f"{UNKNOWN},"),
        ("Band", "BAND", f"{UNKNOWN},"),
        ("Step", "STEP", UNKNOWN),
        ("Cap", "CAP", UNKNOWN),
        ("Window", "BAND", f"when: {{{UNKNOWN}}},"),
        ("Condition", "PLAN", f"if: {{{UNKNOWN}}},"),
    ],
)
def test_the_reference_has_every_field_that_the_engine_knows(title: str, place: str, unknown: str) -> None:
    text = PLAN.replace(place, unknown, 1)
    for word in ("PLAN", "BAND", "STEP", "CAP"):
        text = text.replace(word, "")
    with pytest.raises(TariffError, match="known here: ") as refusal:
        Tariff.load(text)
    known = refusal.value.message.split("known here: ")[1].split(", ")
    section = TEXT.split(f"### {title}\n")[1].split("### ")[0]
    assert re.findall(r"(?m)^\| `(\w+)`", section) == known


def test_the_warnings_are_those_that_the_source_gives() -> None:
    core = Path(__file__).parents[3] / "core_rs" / "parkflow-core" / "src" / "tariff"
    source = "".join(path.read_text(encoding="utf-8") for path in core.glob("lint*.rs"))
    told = set(re.findall(r'findings\.add\(\s*"(\w+)"', source))
    section = TEXT.split("Warnings, which never refuse anything:")[1].split("## Reference")[0]
    assert set(re.findall(r"(?m)^\| `(\w+)`", section)) == told
