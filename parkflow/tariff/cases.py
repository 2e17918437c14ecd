"""Case files: stays with the fee that a published tariff asks for, and whether this engine asks for the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parkflow.core import AccountHistory, Tariff, TariffError, Terms
from parkflow.kit.errors import ParkflowError

FORMAT: Final = "parkflow tariff cases 1"


class CaseFileInvalid(ParkflowError):
    """A case file is JSON: {"meta": {"format": "parkflow tariff cases 1"}, "cases": [...]}."""

    code = "case_file_invalid"
    status = 422


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one case expected in all and what came out; `reason` says what went wrong when the sums do not."""

    case_id: str
    expected_minor: int
    fee_minor: int | None
    reason: str | None = None

    @property
    def passed(self) -> bool:
        return self.fee_minor == self.expected_minor and self.reason is None


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
    stays = [case] if case["kind"] == "stay" else case["stays"]
    expected = [int(stay["expected_fee_minor_units"]) for stay in stays]
    try:
        tariff = Tariff.load(json.dumps(case["tariff"]["ptl"]))
        history = AccountHistory()
        due = [_settle(tariff, case, stay, history) for stay in stays]
    except TariffError as error:
        return CaseResult(case_id, expected_minor, None, f"{error.code}: {error.message}")
    # A sequence whose sum is right while a stay is not has failed too.
    reason = None if due == expected or sum(due) != expected_minor else f"got {due} instead of {expected}"
    return CaseResult(case_id, expected_minor, sum(due), reason)


def _settle(tariff: Tariff, case: Mapping[str, Any], stay: Mapping[str, Any], history: AccountHistory) -> int:
    """What is due for a stay; what it does not say itself, its case says."""
    given = {**case, **stay}
    terms = Terms(
        covered=[(_instant_s(tariff, start), _instant_s(tariff, end)) for start, end in given.get("covered", ())],
        vouchers=[(voucher["kind"], voucher["value"]) for voucher in given.get("vouchers", ())],
        vouchers_as_given=given.get("order") == "given",
        paid=[(_instant_s(tariff, payment["at"]), payment["amount"]) for payment in given.get("paid", ())],
    )
    fee = tariff.settle(
        entry_s=_instant_s(tariff, given["entry"]),
        exit_s=_instant_s(tariff, given["exit"]),
        vehicle_class=given.get("vehicle_class"),
        tags=given.get("tags", ()),
        terms=terms,
        history=history,
    )
    return fee.fee_minor


def _instant_s(tariff: Tariff, text: str) -> int:
    instant_s = tariff.instant_s(text)
    if instant_s is None:
        raise TypeError(f"{text!r} is not a time")
    return instant_s
