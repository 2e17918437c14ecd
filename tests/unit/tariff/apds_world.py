"""What the tests of APDS share: the library as documents, the facts that an import asks for, and fees to compare."""

import json
from pathlib import Path
from typing import Any

from parkflow.core import AccountHistory, Tariff, TariffError
from parkflow.tariff.apds import EXTENSION, read_document, to_json
from parkflow.tariff.apds_export import export_tariff
from parkflow.tariff.apds_facts import facts_of
from parkflow.tariff.apds_import import Imported, import_document

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "parkflow" / "tariff" / "library"
EXAMPLES = ROOT / "tests" / "golden" / "apds"
NAMES = sorted(path.stem for path in LIBRARY.glob("*.yaml"))
HOUR_S = 3_600
# Entries over a week at odd minutes, and stays from below a grace to over two days.
ENTRIES_S = range(0, 7 * 24 * HOUR_S, 5 * HOUR_S + 17 * 60)
LENGTHS_S = (400, 900, 901, 3_600, 3_601, 2 * HOUR_S, 5 * HOUR_S + 1, 13 * HOUR_S, 26 * HOUR_S, 50 * HOUR_S)
CLASSES = (None, "car", "large", "motorcycle")


def ready(name: str) -> Tariff:
    return Tariff.load((LIBRARY / f"{name}.yaml").read_text(encoding="utf-8"))


def example(name: str) -> dict[str, Any]:
    return read_document((EXAMPLES / f"{name}.json").read_bytes())


def exported(tariff: Tariff, *, extension: bool = True) -> dict[str, Any]:
    """The tariff as a document that has been written and read."""
    document = read_document(to_json(export_tariff(tariff).document).encode())
    if not extension:
        del document[EXTENSION]
    return document


def imported(document: dict[str, Any], *assumed: str) -> Imported:
    return import_document(document, facts_of(assumed))


def true_facts(tariff: Tariff) -> list[str]:
    """What somebody who knows the tariff says to an import without the extension."""
    plan = json.loads(tariff.canonical_json)["plans"][0]
    grace = plan.get("grace", {"minutes": "none"})
    cycle = plan["cycle"]
    return [
        f"timezone={tariff.timezone}",
        f"grace={'<' if grace.get('strict') else ''}{grace['minutes']}",
        f"cycle={cycle}" if cycle == "stay" else f"cycle={cycle['every'] // 60}h",
        f"edge={plan['edge']}",
        f"restart={plan['bands'][0].get('restart', 'occurrence')}",
        "min=stay",
        "beyond=free",
        "values=increments",
    ]


def fees(tariff: Tariff, start: str = "2026-06-01T00:07") -> list[int | str]:
    """The fees of a set of single stays of each class; a refusal is its code."""
    start_s = tariff.instant_s(start)
    assert start_s is not None
    found: list[int | str] = []
    for vehicle_class in CLASSES:
        for entry_s in ENTRIES_S:
            for length_s in LENGTHS_S:
                try:
                    fee = tariff.settle(
                        entry_s=start_s + entry_s,
                        exit_s=start_s + entry_s + length_s,
                        vehicle_class=vehicle_class,
                        history=AccountHistory(),
                    )
                    found.append(fee.fee_minor)
                except TariffError as error:
                    found.append(error.code)
    return found
