"""Receipts for tests: real fees of the engine in documents as the service makes them."""

import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from parkflow import core
from parkflow.receipt.document import Receipt, make

GOLDEN = Path(__file__).parent / "golden" / "receipts" / "cn-hangzhou-car.json"


def library(name: str) -> str:
    """A tariff that comes with parkflow."""
    return (resources.files("parkflow.tariff") / "library" / f"{name}.yaml").read_text("utf-8")


def receipt_of(
    tariff_text: str,
    entry: str,
    exit_: str,
    *,
    vehicle_class: str | None = "car",
    tags: tuple[str, ...] = (),
    terms: core.Terms | None = None,
    history: core.AccountHistory | None = None,
    lot: str = "西湖大道 P1",
) -> Receipt:
    """The paid receipt of a stay; instants are local or with offset."""
    tariff = core.Tariff.load(tariff_text)
    entry_s, exit_s = tariff.instant_s(entry), tariff.instant_s(exit_)
    assert entry_s is not None
    assert exit_s is not None
    fee = tariff.settle(
        entry_s=entry_s, exit_s=exit_s, vehicle_class=vehicle_class, tags=tags, terms=terms, history=history
    )
    return receipt_of_fee(tariff, fee, lot=lot)


def receipt_of_fee(tariff: core.Tariff, fee: core.Fee, *, lot: str = "西湖大道 P1") -> Receipt:
    """The paid receipt of a fee."""
    record = json.loads(fee.to_json())
    calculation = {
        "stay_id": "stay_0h3c9v5m2x7kq",
        "operator": {"id": "op_2b6w9d0f4s8ta", "name": "City Parking"},
        "lot": {"id": "lot_1c5x8e2g6r9vb", "name": lot},
        "entry": _passage(tariff, "gate_3d7y0f4h8q1wc", 1287, record["entry_s"]),
        "exit": _passage(tariff, "gate_4e8z1g5j9p2xd", 1344, record["exit_s"]),
        "tariff": {"canonical_json": tariff.canonical_json, "minor_exponent": tariff.minor_exponent},
        "record": record,
    }
    return make(calculation, settlement(record["fee_minor"], _instant(record["exit_s"] + 7_200)))


def settlement(fee_minor: int, paid_at: str) -> dict[str, Any]:
    """What becomes of a fee that is paid at once; of none, nothing."""
    order = {
        "order_no": "PF20260302A7K3M9Q2",
        "channel": "sim",
        "amount_minor": fee_minor,
        "paid_at": paid_at,
        "surplus": False,
    }
    return {
        "state": "paid" if fee_minor else "no_charge",
        "gross_minor": fee_minor,
        "discount_minor": 0,
        "net_minor": fee_minor,
        "paid_minor": fee_minor,
        "paid_at": paid_at if fee_minor else None,
        "refunded_minor": 0,
        "orders": [order] if fee_minor else [],
        "refunds": [],
    }


def hangzhou() -> Receipt:
    """Three lines: two steps of a day, and a night."""
    return receipt_of(library("cn-hangzhou-core"), "2026-03-02T18:10", "2026-03-02T21:05")


def _passage(tariff: core.Tariff, gate_id: str, seq: int, at_s: int) -> dict[str, Any]:
    return {
        "gate_id": gate_id,
        "epoch": 1_508_500_000,
        "seq": seq,
        "at": _instant(at_s),
        "local": tariff.local_text(at_s),
    }


def _instant(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
