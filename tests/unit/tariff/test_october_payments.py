"""The payments of October 2017: what the meters of Charlottesville really charged, priced by the shipped tariff."""

import csv
import gzip
from datetime import datetime
from pathlib import Path

from parkflow.core import Tariff

ROOT = Path(__file__).parents[3]
PAYMENTS = ROOT / "tests" / "golden" / "data" / "charlottesville_payments_2017_10.csv.gz"
TARIFF = ROOT / "parkflow" / "tariff" / "library" / "us-charlottesville-2017.yaml"


def instant_s(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def card_payments() -> list[dict[str, str]]:
    """The rows that the data's note names: paid by card, with time bought, not until closing."""
    with gzip.open(PAYMENTS, "rt", encoding="utf-8", newline="") as lines:
        return [
            row
            for row in csv.DictReader(lines)
            if int(row["card_cents"] or 0) > 0
            and int(row["amount_cents"] or 0) > 0
            and int(row["purchased_s"] or 0) > 0
            and row["until_closing"] == "0"
        ]


def test_the_amount_really_charged_comes_out_on_998_of_1000_payments() -> None:
    rows = card_payments()
    tariff = Tariff.load(TARIFF.read_text(encoding="utf-8"))
    fees = tariff.price_many(
        [instant_s(row["bought_from"]) for row in rows], [instant_s(row["paid_until"]) for row in rows]
    )
    differences = [abs(fee - int(row["amount_cents"])) for fee, row in zip(fees, rows, strict=True)]
    assert len(rows) == 6_087
    assert differences.count(0) >= 0.998 * len(rows)
    assert max(differences) <= 2
