"""The face of tariffs: errors with code and path, batches, receipts."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.core import AccountHistory, Tariff, TariffError, Terms

LIBRARY = Path(__file__).parents[3] / "parkflow" / "tariff" / "library"
METER = Tariff.load((LIBRARY / "us-charlottesville-2017.yaml").read_text(encoding="utf-8"))
EIGHT_S = METER.instant_s("2017-10-20T08:00")


def test_the_fee_of_an_hour_and_its_lines() -> None:
    assert EIGHT_S is not None
    fee = METER.price(entry_s=EIGHT_S - 600, exit_s=EIGHT_S + 3_600)
    assert (fee.fee_minor, fee.currency, fee.plan) == (180, "USD", "meter")
    [line] = fee.lines
    assert (line.kind, line.band, line.from_s, line.to_s) == ("units", "day", EIGHT_S, EIGHT_S + 3_600)
    assert (line.units, line.amount_minor) == (180, 180)


def test_a_short_stay_costs_the_minimum_and_says_so() -> None:
    assert EIGHT_S is not None
    fee = METER.price(entry_s=EIGHT_S, exit_s=EIGHT_S + 25)
    assert [(line.kind, line.amount_minor) for line in fee.lines] == [("units", 2), ("minimum", 88)]


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_tariff_loads(path: Path) -> None:
    tariff = Tariff.load(path.read_text(encoding="utf-8"))
    assert Tariff.load(tariff.canonical_json).sha256 == tariff.sha256
    assert tariff.tzdata_version.startswith("20")


def test_a_broken_text_is_refused_with_code_path_and_line() -> None:
    with pytest.raises(TariffError) as refusal:
        Tariff.load("ptl: 1\ncolour: red\n")
    error = refusal.value
    assert (error.code, error.path) == ("tariff_invalid", "colour")
    assert str(error) == error.message
    assert error.message.startswith("line 2, colour: unknown field")


def test_a_bad_stay_of_a_batch_is_named() -> None:
    with pytest.raises(TariffError) as refusal:
        METER.price_many([0, 100], [10, 50])
    assert (refusal.value.code, refusal.value.path) == ("exit_before_entry", "stays[1]")
    with pytest.raises(ValueError, match="same length"):
        METER.price_many([0], [])


def test_a_time_is_read_in_the_zone_of_the_tariff() -> None:
    assert METER.instant_s("2017-10-20T08:00") == METER.instant_s("2017-10-20T12:00Z")
    assert METER.instant_s("2017-10-20T08:00-04:00") == EIGHT_S
    assert METER.instant_s("yesterday") is None
    assert EIGHT_S is not None
    assert METER.local_text(EIGHT_S) == "2017-10-20T08:00:00-04:00"


@given(
    entry_s=st.integers(1_400_000_000, 1_900_000_000),
    length_s=st.integers(0, 500_000),
    vehicle_class=st.sampled_from([None, "car", "\"'\\\n"]),
)
def test_a_receipt_recomputes_to_the_same_bytes(entry_s: int, length_s: int, vehicle_class: str | None) -> None:
    fee = METER.price(entry_s=entry_s, exit_s=entry_s + length_s, vehicle_class=vehicle_class, tags=["a b"])
    record = json.loads(fee.to_json())
    again = METER.price(
        entry_s=record["entry_s"],
        exit_s=record["exit_s"],
        vehicle_class=record["vehicle_class"],
        tags=record["tags"],
    )
    assert again.to_json() == fee.to_json()
    assert json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == fee.to_json()
    assert sum(line["amount_minor"] for line in record["lines"]) == record["fee_minor"] == fee.fee_minor
    assert METER.price_many([entry_s], [entry_s + length_s]) == [fee.fee_minor]


def test_one_tariff_prices_from_many_threads() -> None:
    entries = list(range(1_508_500_000, 1_508_540_000, 40))
    exits = [entry + 5_000 for entry in entries]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: METER.price_many(entries, exits), range(8)))
    assert all(result == results[0] for result in results)


def test_a_tariff_over_several_stays_is_never_priced_stay_by_stay() -> None:
    text = METER.canonical_json.replace(
        '"min":90', '"caps":[{"max":300,"over":{"daily":"00:00"},"scope":"account"}],"min":90'
    )
    capped = Tariff.load(text)
    assert (METER.needs_history, capped.needs_history) == (False, True)
    assert EIGHT_S is not None
    with pytest.raises(TariffError) as refusal:
        capped.price(entry_s=EIGHT_S, exit_s=EIGHT_S + 3_600)
    assert refusal.value.code == "history_needed"
    history = AccountHistory()
    due = [
        capped.settle(entry_s=EIGHT_S + start_s, exit_s=EIGHT_S + start_s + 3_600, history=history).fee_minor
        for start_s in (0, 7_200, 14_400)
    ]
    assert due == [180, 120, 0]


def test_what_was_paid_before_is_in_the_record() -> None:
    assert EIGHT_S is not None
    terms = Terms(vouchers=[("amount", 50)], paid=[(EIGHT_S + 60, 100)])
    fee = METER.settle(entry_s=EIGHT_S, exit_s=EIGHT_S + 3_600, terms=terms)
    assert fee.fee_minor == 180 - 50 - 100
    assert [(line.kind, line.amount_minor) for line in fee.lines] == [
        ("units", 180),
        ("discount", -50),
        ("before", -100),
    ]
    record = json.loads(fee.to_json())
    assert (record["vouchers"], record["paid"]) == ([["amount", 50]], [[EIGHT_S + 60, 100]])
    with pytest.raises(ValueError, match="not negative"):
        Terms(vouchers=[("amount", -1)])


def test_a_history_goes_through_text_and_a_record_is_enough_to_price_again() -> None:
    text = METER.canonical_json.replace(
        '"min":90', '"caps":[{"max":300,"over":{"daily":"00:00"},"scope":"account"}],"min":90'
    )
    capped = Tariff.load(text)
    assert (METER.shared_window_s, capped.shared_window_s) == (0, 0)
    assert EIGHT_S is not None
    history = AccountHistory()
    records = []
    for start_s in (0, 7_200, 14_400):
        history = AccountHistory.from_json(history.to_json())
        fee = capped.settle(entry_s=EIGHT_S + start_s, exit_s=EIGHT_S + start_s + 3_600, history=history)
        records.append(json.loads(fee.to_json()))
    assert "history" not in records[0]
    assert [record["fee_minor"] for record in records] == [180, 120, 0]
    for record in reversed(records):
        before = AccountHistory.from_json(json.dumps(record.get("history", {})))
        again = capped.settle(entry_s=record["entry_s"], exit_s=record["exit_s"], history=before)
        assert json.loads(again.to_json()) == record
    history.forget_before(EIGHT_S + 7 * 86_400, capped.shared_window_s)
    assert history.to_json() == "{}"
    with pytest.raises(TariffError) as refusal:
        AccountHistory.from_json("{")
    assert refusal.value.code == "history_invalid"
