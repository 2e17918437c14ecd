"""A receipt as a statement for people in one language: what page, PDF and terminal show; pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from parkflow import core
from parkflow.receipt.document import Json, Passage, Receipt, ReceiptUnreadable, Record
from parkflow.receipt.line_words import LineTeller, LineWords
from parkflow.receipt.moments import Speech, offset_of, percent
from parkflow.receipt.texts import LANGUAGE_DEFAULT, TEXTS
from parkflow.receipt.verify import Outcome, verify

_COVERED_SHOWN_MAX: Final = 10


class ReceiptNotTellable(ReceiptUnreadable):
    """The receipt's tariff does not price its stay, so its lines cannot be told."""

    code = "receipt_not_tellable"


class Row(NamedTuple):
    """A label and its value; `amount` is empty where none belongs to it."""

    label: str
    value: str
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """Everything that is shown, in the order in which it is shown; `text` has the headings."""

    language: str
    text: Mapping[str, str]
    stay_id: str
    lot: str
    operator: str
    facts: Sequence[Row]
    lines: Sequence[LineWords]
    total: str
    currency: str
    all_amounts: str
    notes: Sequence[str]
    state: str
    payments: Sequence[Row]
    tariff: Sequence[Row]
    proof: Sequence[Row]
    command: str
    document: str
    right: bool
    verdict: str


def statement(receipt: Receipt, language: str) -> Statement:
    """The receipt in words, after computing it again.

    Raises ReceiptNotTellable when the engine refuses its tariff or its stay.
    """
    calculation = receipt.calculation
    record = calculation.record
    outcome = verify(receipt)
    if outcome.fee_minor is None:
        raise ReceiptNotTellable(f"receipt_not_tellable: {outcome.differences[0]}")
    tariff = core.Tariff.load(calculation.tariff.canonical_json)
    tariff_fields: Json = json.loads(tariff.canonical_json)
    speech = Speech(language, tariff)
    teller = LineTeller(speech, tariff_fields, record)
    return Statement(
        language=language,
        text=speech.texts,
        stay_id=calculation.stay_id,
        lot=calculation.lot.name,
        operator=calculation.operator.name,
        facts=list(_facts(receipt, speech)),
        lines=[teller.tell(line) for line in record.lines],
        total=speech.amount(record.fee_minor),
        currency=record.currency,
        all_amounts=speech.say("all_amounts", currency=record.currency),
        notes=list(_notes(record, tariff_fields, speech)),
        state=speech.texts[f"state_{receipt.settlement.state}"],
        payments=list(_payments(receipt, speech)),
        tariff=list(_tariff(record, tariff_fields, speech)),
        proof=list(_proof(receipt, speech)),
        command=speech.say("check_command", file=f"{calculation.stay_id}.json"),
        document=receipt.to_json(),
        right=outcome.same,
        verdict=_verdict(outcome, speech),
    )


def language_of(wanted: str) -> str:
    """The language of an Accept-Language header (RFC 9110 §12.5.4) among ours; the first of the highest weight."""
    best, best_weight = LANGUAGE_DEFAULT, 0
    for tag, weight in weighted(wanted):
        language = tag.partition("-")[0]
        language = LANGUAGE_DEFAULT if language == "*" else language
        if language in TEXTS and weight > best_weight:
            best, best_weight = language, weight
    return best


def weighted(header: str) -> Iterator[tuple[str, int]]:
    """(value in lower case, weight in thousandths) of each part of an Accept header; a malformed weight is 0."""
    for part in header.split(","):
        value, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
        yield value, _thousandths(weights[0]) if weights else 1_000


def _thousandths(weight: str) -> int:
    whole, _, part = weight.partition(".")
    if whole not in ("0", "1") or len(part) > 3 or not (part or "0").isdecimal() or not weight.isascii():
        return 0
    return min(1_000, int(whole) * 1_000 + int(part.ljust(3, "0")))


def _facts(receipt: Receipt, speech: Speech) -> Iterator[Row]:
    calculation, say = receipt.calculation, speech.say
    record = calculation.record
    yield Row(say("operator"), calculation.operator.name)
    yield Row(say("entry"), speech.moment(record.entry_s))
    yield Row(say("exit"), speech.moment(record.exit_s))
    yield Row(say("parked"), speech.length(record.exit_s - record.entry_s))
    if record.vehicle_class is not None:
        yield Row(say("vehicle"), speech.texts.get(f"class_{record.vehicle_class}", record.vehicle_class))
    if record.tags:
        tags = (speech.texts.get(f"tag_{tag}", tag) for tag in record.tags)
        yield Row(say("tags"), speech.texts["list"].join(tags))
    offsets = {"entry": offset_of(speech.local(record.entry_s)), "exit": offset_of(speech.local(record.exit_s))}
    key = "offset_one" if offsets["entry"] == offsets["exit"] else "offset_both"
    yield Row(say("local_time"), f"{record.timezone} ({say(key, **offsets)})")
    yield Row(say("stay"), calculation.stay_id)


def _notes(record: Record, tariff: Json, speech: Speech) -> Iterator[str]:
    for from_s, to_s in record.covered[:_COVERED_SHOWN_MAX]:
        yield speech.say("note_covered", span=speech.span(from_s, to_s))
    entry_s, exit_s = _counted(record, tariff)
    if (entry_s, exit_s) != (record.entry_s, record.exit_s):
        yield speech.say("note_clock", entry=speech.moment_short(entry_s), exit=speech.moment_short(exit_s))
    if _has_gaps(record, entry_s, exit_s):
        yield speech.say("note_gaps")
    tax = tariff.get("tax", {})
    if tax.get("mode") == "included" and record.fee_minor:
        # S16: half up of due * rate / (1 + rate).
        rate_bp = tax["rate_bp"]
        whole_bp = 10_000 + rate_bp
        tax_minor = (2 * record.fee_minor * rate_bp + whole_bp) // (2 * whole_bp)
        yield speech.say("note_tax", rate=percent(rate_bp), amount=speech.amount(tax_minor))
    if record.history is not None:
        yield speech.say("note_history")


def _counted(record: Record, tariff: Json) -> tuple[int, int]:
    """Entry and exit on the tariff's own clock (S2)."""
    clock = tariff.get("clock", {})
    step_s = clock.get("step", 1)
    ends = (("entry", record.entry_s), ("exit", record.exit_s))
    entry_s, exit_s = (
        at_s - at_s % step_s if clock.get(end) != "ceil" else -(-at_s // step_s) * step_s for end, at_s in ends
    )
    return entry_s, exit_s


def _has_gaps(record: Record, entry_s: int, exit_s: int) -> bool:
    """Whether some of the stay belongs to no line; lines about the whole stay do not count."""
    counted = sorted((line.from_s, line.to_s) for line in record.lines if line.kind in ("units", "free"))
    reached_s = entry_s
    for from_s, to_s in counted:
        if from_s > reached_s:
            return True
        reached_s = max(reached_s, to_s)
    return reached_s < exit_s


def _payments(receipt: Receipt, speech: Speech) -> Iterator[Row]:
    settlement, say = receipt.settlement, speech.say
    if settlement.discount_minor:
        yield Row(say("discount_of_charge"), "", speech.amount(-settlement.discount_minor))
    for order in settlement.orders:
        label = say("order_surplus" if order.surplus else "order", at=_moment(order.paid_at, speech))
        yield Row(label, say("order_detail", number=order.order_no), speech.amount(order.amount_minor))
    for refund in settlement.refunds:
        label = say("refund", at=_moment(refund.refunded_at, speech))
        yield Row(label, say("refund_detail", number=refund.refund_no), speech.amount(-refund.amount_minor))


def _moment(instant: str, speech: Speech) -> str:
    return speech.moment_short(int(datetime.fromisoformat(instant).timestamp()))


def _tariff(record: Record, tariff: Json, speech: Speech) -> Iterator[Row]:
    yield Row(speech.say("tariff_id"), record.tariff_id)
    for name in ("words", "source"):
        if tariff.get(name):
            yield Row(speech.say(f"tariff_{name}"), tariff[name])


def _proof(receipt: Receipt, speech: Speech) -> Iterator[Row]:
    calculation, say = receipt.calculation, speech.say
    yield Row(say("entry_event"), _event(calculation.entry, speech))
    yield Row(say("exit_event"), _event(calculation.exit, speech))
    if calculation.marks:
        yield Row(say("marks"), ", ".join(calculation.marks))
    yield Row(say("tariff_sha256"), calculation.record.tariff_sha256)
    yield Row(say("calculation_sha256"), receipt.calculation_sha256)
    yield Row(say("tzdata"), calculation.record.tzdata_version)


def _event(passage: Passage, speech: Speech) -> str:
    if passage.gate_id is None:
        return speech.say("event_unseen")
    return speech.say("event", gate=passage.gate_id, epoch=passage.epoch, seq=passage.seq)


def _verdict(outcome: Outcome, speech: Speech) -> str:
    if outcome.same:
        return speech.say("recomputed")
    return speech.say("recomputed_wrong", difference=outcome.differences[0].code)
