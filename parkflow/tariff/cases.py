"""Case files: stays with the fee that a published tariff asks for, and whether this engine asks for the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parkflow.core import Tariff, TariffError
from parkflow.kit.errors import ParkflowError

FORMAT: Final = "parkflow tariff cases 1"

# Inputs of a case that ask for more than the price of one stay.
_INPUTS_NOT_PRICED: Final = ("vouchers", "paid", "covered", "order")


class CaseFileInvalid(ParkflowError):
    """A case file is JSON: {"meta": {"format": "parkflow tariff cases 1"}, "cases": [...]}."""

    code = "case_file_invalid"
    status = 422


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one case expected and what came out; `reason` says why nothing did."""

    case_id: str
    expected_minor: int
    fee_minor: int | None
    reason: str | None = None

    @property
    def passed(self) -> bool:
        return self.fee_minor == self.expected_minor


def read_cases(path: Path) -> Sequence[Mapping[str, Any]]:
    """The cases of a file. Raises CaseFileInvalid."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(document, dict)
        assert document["meta"]["format"] == FORMAT
        cases = document["cases"]
        assert isinstance(cases, list)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise CaseFileInvalid(f"{path} is not a case file ({FORMAT}): {error or 'wrong shape'}") from None
    return cases


def run_cases(cases: Sequence[Mapping[str, Any]]) -> list[CaseResult]:
    """Price every case; a refusal is a result too. Raises CaseFileInvalid for a case without the needed fields."""
    results = []
    for place, case in enumerate(cases):
        try:
            results.append(_run_case(case))
        except (KeyError, TypeError, AttributeError) as error:
            raise CaseFileInvalid(f"case {place} lacks a field or has one of the wrong type: {error}") from None
    return results


def _run_case(case: Mapping[str, Any]) -> CaseResult:
    case_id, expected_minor = str(case["id"]), int(case["expected_fee_minor_units"])
    try:
        return CaseResult(case_id, expected_minor, _price_case(case))
    except TariffError as error:
        return CaseResult(case_id, expected_minor, None, f"{error.code}: {error.message}")


def _price_case(case: Mapping[str, Any]) -> int:
    tariff = Tariff.load(json.dumps(case["tariff"]["ptl"]))
    for name in _INPUTS_NOT_PRICED:
        if name in case:
            raise TariffError(f"the input `{name}` is not priced by this engine")
    if case["kind"] != "stay":
        raise TariffError("stays of one account are not priced together by this engine")
    fee = tariff.price(
        entry_s=_instant_s(tariff, case["entry"]),
        exit_s=_instant_s(tariff, case["exit"]),
        vehicle_class=case.get("vehicle_class"),
        tags=case.get("tags", ()),
    )
    return fee.fee_minor


def _instant_s(tariff: Tariff, text: str) -> int:
    instant_s = tariff.instant_s(text)
    if instant_s is None:
        raise TypeError(f"{text!r} is not a time")
    return instant_s
