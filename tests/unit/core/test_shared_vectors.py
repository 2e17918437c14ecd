"""Tariffs, stays and transfers through the typed face, against the vectors that Rust reads too."""

import json
from pathlib import Path
from typing import Any

import pytest

from parkflow import core
from parkflow.tariff.cases import read_cases, run_cases

GOLDEN = Path(__file__).parents[2] / "golden"
PAIRING: dict[str, Any] = json.loads((GOLDEN / "pairing.json").read_text(encoding="utf-8"))
TRANSFERS: list[dict[str, Any]] = json.loads((GOLDEN / "ledger.json").read_text(encoding="utf-8"))["transfers"]


def scan(value: dict[str, Any]) -> core.ScanEvent:
    gate_id, epoch, seq = (int(part) for part in value["id"].split("-"))
    return core.ScanEvent(gate_id, epoch, seq, value["at_ms"], value["direction"])


def name(event: core.ScanEvent | None) -> str | None:
    return None if event is None else "-".join(str(part) for part in event.event_id)


@pytest.mark.parametrize("case", PAIRING["cases"], ids=lambda case: case["name"])
def test_scans_are_paired_as_the_vectors_say(case: dict[str, Any]) -> None:
    group = (scan(case["open"]) if case["open"] else None, [scan(value) for value in case["scans"]])
    [pairing] = core.pair_scans([group], debounce_ms=PAIRING["debounce_ms"])
    assert {
        "open": name(pairing.open),
        "opened": pairing.opened,
        "closed": [[name(entry), name(exit_)] for entry, exit_ in pairing.closed],
        "awaiting_entry": [name(event) for event in pairing.awaiting_entry],
        "missing_exit": [name(event) for event in pairing.missing_exit],
        "duplicates": [[name(event), "-".join(map(str, of))] for event, of in pairing.duplicates],
    } == case["expect"]


def test_all_groups_are_paired_in_one_call() -> None:
    groups = [
        (scan(case["open"]) if case["open"] else None, [scan(value) for value in case["scans"]])
        for case in PAIRING["cases"]
    ]
    assert core.pair_scans(groups) == [core.pair_scans([group])[0] for group in groups]


@pytest.mark.parametrize("case", TRANSFERS, ids=lambda case: case["call"])
def test_each_constructor_names_its_two_accounts(case: dict[str, Any]) -> None:
    transfer = getattr(core, case["call"])(**case["args"])
    assert [transfer.debit_kind, transfer.debit_owner] == case["debit"]
    assert [transfer.credit_kind, transfer.credit_owner] == case["credit"]
    assert (transfer.code, transfer.reference) == (case["code"], case["reference"])
    assert transfer.amount_minor == case["args"]["amount_minor"]


def test_a_batch_of_transfers_adds_up_to_zero() -> None:
    transfers = [getattr(core, case["call"])(**case["args"]) for case in TRANSFERS]
    changes = core.check_transfers(transfers)
    assert sum(change for _, _, change in changes) == 0
    with pytest.raises(core.LedgerError) as refusal:
        core.check_transfers([*transfers, transfers[0]])
    assert refusal.value.code == "transfer_repeated"


def test_a_transfer_moves_an_amount_above_zero() -> None:
    with pytest.raises(core.LedgerError) as refusal:
        core.charge_raised(card_id=1, operator_id=2, charge_id=3, amount_minor=0)
    assert refusal.value.code == "amount_not_positive"


def test_every_shared_tariff_case_is_priced_as_published() -> None:
    results = run_cases(read_cases(GOLDEN / "tariffs.json"))
    assert [result for result in results if not result.passed] == []
    assert len(results) > 200
