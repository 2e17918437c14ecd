"""The plain evaluator of bench/: it prices every shared case as published, and random stays as the engine does."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from bench.tariff_oracle import PlainTariff, fee_minor
from bench.tariff_oracle_parts import Account, Stay
from parkflow.core import Tariff, TariffError

CASES: Final = json.loads((Path(__file__).parents[2] / "golden" / "tariffs.json").read_text(encoding="utf-8"))["cases"]
LIBRARY: Final = sorted((Path(__file__).parents[3] / "parkflow" / "tariff" / "library").glob("*.yaml"))
STAYS: Final = 320
# Around a change of clocks, a change back, New Year and a leap day.
STARTS_S: Final = (1_772_928_000, 1_793_491_200, 1_798_675_200, 1_709_164_800, 1_790_812_800)


def stay_of(given: Mapping[str, Any], tariff: Tariff) -> Stay:
    """The stay of a case; the engine reads the local times, which the evaluator does not."""

    def instant_s(text: str) -> int:
        found = tariff.instant_s(text)
        assert found is not None
        return found

    return Stay(
        entry_s=instant_s(given["entry"]),
        exit_s=instant_s(given["exit"]),
        vehicle_class=given.get("vehicle_class"),
        tags=given.get("tags", ()),
        covered=[(instant_s(start), instant_s(end)) for start, end in given.get("covered", ())],
        vouchers=[(voucher["kind"], voucher["value"]) for voucher in given.get("vouchers", ())],
        vouchers_as_given=given.get("order") == "given",
        paid=[(instant_s(payment["at"]), payment["amount"]) for payment in given.get("paid", ())],
    )


def due_minor(case: Mapping[str, Any], stays: Sequence[Mapping[str, Any]]) -> list[int | None]:
    ptl = case["tariff"]["ptl"]
    plain, tariff, account = PlainTariff(ptl), Tariff.load(json.dumps(ptl)), Account()
    return [plain.settle(stay_of({**case, **stay}, tariff), account) for stay in stays]


def test_every_shared_case_is_priced_as_published() -> None:
    wrong = []
    for case in CASES:
        stays = [case] if case["kind"] == "stay" else case["stays"]
        due = due_minor(case, stays)
        if due != [stay["expected_fee_minor_units"] for stay in stays]:
            wrong.append((case["id"], due))
    assert wrong == []
    assert len(CASES) == 258


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_random_stays_cost_what_the_engine_says(path: Path) -> None:
    tariff = Tariff.load(path.read_text(encoding="utf-8"))
    ptl = json.loads(tariff.canonical_json)
    chance = random.Random(path.stem)
    priced = 0
    for _ in range(max(20, STAYS // len(LIBRARY))):
        entry_s = chance.choice(STARTS_S) + chance.randrange(2 * 86_400)
        exit_s = entry_s + chance.choice(
            (chance.randrange(3_600), chance.randrange(86_400), chance.randrange(4 * 86_400))
        )
        vehicle_class = chance.choice(("car", "large", "motorcycle", None))
        if tariff.needs_history:
            continue
        expected = fee_minor(ptl, entry_s, exit_s, vehicle_class)
        if expected is None:
            with pytest.raises(TariffError, match="no plan"):
                tariff.price(entry_s=entry_s, exit_s=exit_s, vehicle_class=vehicle_class)
            continue
        got = tariff.price(entry_s=entry_s, exit_s=exit_s, vehicle_class=vehicle_class).fee_minor
        assert got == expected, (entry_s, exit_s, vehicle_class)
        priced += 1
    assert priced or tariff.needs_history
