"""Recomputes the fee of a receipt from nothing but the receipt, and says what differs; pure."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from parkflow import core
from parkflow.receipt.document import Passage, Receipt, Record, calculation_sha256, canonical

# Left out of the comparison of records: it says with which tz database a record was made, not how.
_TZDATA: Final = "tzdata_version"
_SHOWN_MAX: Final = 60
# No JSON value is a tuple.
_ABSENT: Final = ()


class Difference(NamedTuple):
    """`code` is stable; `field` is the place in the document, `said` what stands there, `computed` what is right."""

    code: str
    field: str
    said: str
    computed: str

    def __str__(self) -> str:
        return f"{self.code}: {self.field} says {self.said}, computed {self.computed}"


class Note(NamedTuple):
    """Something worth knowing that makes no fee wrong."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What checking a receipt found, first things first; `fee_minor` is the fee computed here, if there is one."""

    fee_minor: int | None
    differences: Sequence[Difference]
    warnings: Sequence[Note]

    @property
    def same(self) -> bool:
        return not self.differences


def verify(receipt: Receipt) -> Outcome:
    """Compute the fee again and compare every part of the receipt that follows from others. Never raises."""
    record = receipt.calculation.record
    differences: list[Difference] = []
    warnings: list[Note] = []
    fee_minor = None
    try:
        tariff = core.Tariff.load(receipt.calculation.tariff.canonical_json)
    except core.TariffError as error:
        differences.append(_refused("tariff_refused", "calculation.tariff.canonical_json", "a tariff", error))
    else:
        differences += _tariff(receipt, tariff)
        same_time = tariff.tzdata_version == record.tzdata_version
        recomputed = _recomputed(receipt, tariff)
        if isinstance(recomputed, Difference):
            differences.append(recomputed)
        else:
            fee_minor = recomputed["fee_minor"]
            differences += _record(receipt, recomputed)
        differences += _instants(receipt)
        differences += _local_times(receipt, tariff) if same_time else ()
        if not same_time:
            warnings.append(_other_tzdata(record, tariff, fee_minor))
    differences += _sums(record)
    differences += _settlement(receipt)
    # Last, because it says that something was changed, but not what.
    differences += _hash(receipt)
    return Outcome(fee_minor, differences, warnings)


def _hash(receipt: Receipt) -> Iterator[Difference]:
    computed = calculation_sha256(receipt.document["calculation"])
    if computed != receipt.calculation_sha256:
        yield Difference("calculation_hash_differs", "calculation_sha256", receipt.calculation_sha256, computed)


def _tariff(receipt: Receipt, tariff: core.Tariff) -> Iterator[Difference]:
    said, record = receipt.calculation.tariff, receipt.calculation.record
    if tariff.sha256 != record.tariff_sha256:
        yield Difference("tariff_hash_differs", "calculation.record.tariff_sha256", record.tariff_sha256, tariff.sha256)
    if tariff.canonical_json != said.canonical_json:
        named = hashlib.sha256(said.canonical_json.encode()).hexdigest()
        yield Difference(
            "tariff_not_canonical",
            "calculation.tariff.canonical_json",
            f"a text of sha256 {named}",
            f"a canonical form of sha256 {tariff.sha256}",
        )
    if tariff.minor_exponent != said.minor_exponent:
        yield _different(
            "tariff_differs", "calculation.tariff.minor_exponent", said.minor_exponent, tariff.minor_exponent
        )


def _recomputed(receipt: Receipt, tariff: core.Tariff) -> dict[str, Any] | Difference:
    """The engine's record from the inputs of the receipt's record, or why it makes none."""
    record = receipt.calculation.record
    try:
        fee = tariff.settle(
            entry_s=record.entry_s,
            exit_s=record.exit_s,
            vehicle_class=record.vehicle_class,
            tags=record.tags,
            terms=_terms(record),
            history=_history(record),
        )
    except (core.TariffError, ValueError) as error:
        return _refused("stay_not_priced", "calculation.record", "a fee", error)
    recomputed: dict[str, Any] = json.loads(fee.to_json())
    return recomputed


def _terms(record: Record) -> core.Terms:
    return core.Terms(
        covered=[(from_s, to_s) for from_s, to_s in record.covered],
        vouchers=[(kind, value) for kind, value in record.vouchers],
        vouchers_as_given=record.vouchers_as_given,
        paid=[(at_s, amount_minor) for at_s, amount_minor in record.paid],
    )


def _history(record: Record) -> core.AccountHistory:
    """What the account's earlier stays had used of what this stay shares with them."""
    return core.AccountHistory.from_json(canonical({} if record.history is None else record.history))


def _record(receipt: Receipt, recomputed: dict[str, Any]) -> Iterator[Difference]:
    said = dict(receipt.document["calculation"]["record"])
    computed = dict(recomputed)
    said.pop(_TZDATA)
    computed.pop(_TZDATA)
    # The fee first, then the plan: a reader wants to know those before a line.
    for name in ("fee_minor", "plan", *sorted(said.keys() | computed.keys())):
        found = first_difference(said.get(name, _ABSENT), computed.get(name, _ABSENT), f"calculation.record.{name}")
        if found is not None:
            yield _different("record_differs", *found)
            return


def first_difference(said: object, computed: object, place: str) -> tuple[str, object, object] | None:
    """The first place at which two JSON values differ: (place, said, computed); true is not 1 here."""
    if isinstance(said, dict) and isinstance(computed, dict):
        for name in sorted(said.keys() | computed.keys()):
            found = first_difference(said.get(name, _ABSENT), computed.get(name, _ABSENT), f"{place}.{name}")
            if found is not None:
                return found
        return None
    if isinstance(said, list) and isinstance(computed, list):
        for index, (one, other) in enumerate(zip(said, computed, strict=False)):
            found = first_difference(one, other, f"{place}[{index}]")
            if found is not None:
                return found
        return None if len(said) == len(computed) else (f"{place}.length", len(said), len(computed))
    return None if type(said) is type(computed) and said == computed else (place, said, computed)


def _instants(receipt: Receipt) -> Iterator[Difference]:
    for name, passage, second in _ends(receipt):
        # The engine takes whole seconds; a gate tells milliseconds.
        at_s = int(datetime.fromisoformat(passage.at).timestamp())
        if at_s != second:
            yield _different("instant_differs", f"calculation.{name}.at", passage.at, f"second {second}")


def _local_times(receipt: Receipt, tariff: core.Tariff) -> Iterator[Difference]:
    for name, passage, second in _ends(receipt):
        local = tariff.local_text(second)
        if passage.local != local:
            yield _different("local_time_differs", f"calculation.{name}.local", passage.local, local)


def _ends(receipt: Receipt) -> tuple[tuple[str, Passage, int], ...]:
    calculation = receipt.calculation
    record = calculation.record
    return ("entry", calculation.entry, record.entry_s), ("exit", calculation.exit, record.exit_s)


def _other_tzdata(record: Record, tariff: core.Tariff, fee_minor: int | None) -> Note:
    same = "the fee is the same" if fee_minor == record.fee_minor else "the fee is not the same"
    return Note(
        "tzdata_differs",
        f"made with tz database {_shown(record.tzdata_version)}, computed with {tariff.tzdata_version}: {same}",
    )


def _sums(record: Record) -> Iterator[Difference]:
    total_minor = sum(line.amount_minor for line in record.lines)
    if total_minor != record.fee_minor:
        yield _different("lines_do_not_sum", "calculation.record.fee_minor", record.fee_minor, total_minor)


def _settlement(receipt: Receipt) -> Iterator[Difference]:
    """What became of the fee must fit the fee and itself."""
    said, fee_minor = receipt.settlement, receipt.calculation.record.fee_minor
    taken_minor = sum(order.amount_minor for order in said.orders if not order.surplus)
    charged = said.state not in ("no_charge", "pending") and not (said.state == "waived" and said.gross_minor == 0)
    wanted = {
        "gross_minor": fee_minor if charged else 0,
        "net_minor": said.gross_minor - said.discount_minor,
        "paid_minor": taken_minor,
    }
    for name, computed in wanted.items():
        if getattr(said, name) != computed:
            yield _different("settlement_differs", f"settlement.{name}", getattr(said, name), computed)
            return


def _refused(code: str, field: str, wanted: str, error: ValueError) -> Difference:
    reason = f"{error.code}: {error.message}" if isinstance(error, core.TariffError) else str(error)
    return Difference(code, field, f"it gives {wanted}", f"a refusal: {_shown(' '.join(reason.split()), 200)}")


def _different(code: str, field: str, said: object, computed: object) -> Difference:
    return Difference(code, field, _shown(said), _shown(computed))


def _shown(value: object, characters_max: int = _SHOWN_MAX) -> str:
    """A value on one line, short."""
    if value is _ABSENT:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= characters_max else f"{text[:characters_max]}…"
