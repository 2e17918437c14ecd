"""The receipt document `parkflow receipt 1`: its shape, its canonical bytes, and reading one from a stranger.

docs/receipts.md describes the format.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from parkflow.kit.errors import ParkflowError

FORMAT: Final = "parkflow receipt 1"
DOCUMENT_BYTES_MAX: Final = 1 << 20
# A receipt is seven levels deep.
_DEPTH_MAX: Final = 32
# The sign and digits of the largest whole number of 128 bits, which a history may hold; other fields are bounded below.
_DIGITS_MAX: Final = 40
_SHOWN_CHARACTERS_MAX: Final = 160
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", re.ASCII)

Json = dict[str, Any]


class ReceiptUnreadable(ParkflowError):
    """The text is not a receipt of the format `parkflow receipt 1`."""

    code = "receipt_unreadable"
    status = 422


class ReceiptTooLarge(ReceiptUnreadable):
    """A receipt has at most 1 MiB."""

    code = "receipt_too_large"


class ReceiptNotJson(ReceiptUnreadable):
    """A receipt is one JSON object in UTF-8, with whole numbers only and no field twice."""

    code = "receipt_not_json"


class ReceiptMalformed(ReceiptUnreadable):
    """A field of the receipt is missing, unknown, or of another type."""

    code = "receipt_malformed"


def _instant(text: str) -> str:
    if not _INSTANT.fullmatch(text):
        raise ValueError("is an instant such as 2017-10-20T16:00:00.000Z")
    datetime.fromisoformat(text)
    return text


def _voucher(pair: list[Any]) -> list[Any]:
    # type() and not isinstance(): in Python true is an int.
    if len(pair) != 2 or type(pair[0]) is not str or type(pair[1]) is not int or not 0 <= pair[1] < 2**63:
        raise ValueError("is a kind of voucher and its value")
    return pair


_Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Instant = Annotated[str, AfterValidator(_instant)]
_Voucher = Annotated[list[Any], AfterValidator(_voucher)]
_Pair = Annotated[list[_Integer], Field(min_length=2, max_length=2)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Named(_Strict):
    """An operator or a lot."""

    id: str
    name: str


class Passage(_Strict):
    """One end of the stay: the gate's event, the instant in UTC, and what the lot's clock showed in that second.

    An end that no gate saw has no event; the calculation's marks say whence it is.
    """

    gate_id: str | None
    epoch: _Count | None
    seq: _Count | None
    at: _Instant
    local: str


class TariffText(_Strict):
    """The tariff in full: PTL/1 in its canonical form, whose SHA-256 is the record's `tariff_sha256`."""

    canonical_json: str
    minor_exponent: Annotated[int, Field(ge=0, le=4)]


class Line(_Strict):
    """One line of the breakdown, as the engine wrote it."""

    kind: str
    band: str
    from_s: _Integer
    to_s: _Integer
    units: _Integer
    amount_minor: _Integer


class Record(_Strict):
    """The engine's record of the fee: its inputs and its result; money in minor units, instants in unix seconds."""

    currency: str
    entry_s: _Integer
    exit_s: _Integer
    fee_minor: _Integer
    lines: list[Line]
    plan: str
    tags: list[str]
    tariff_id: str
    tariff_sha256: _Hash
    timezone: str
    tzdata_version: str
    vehicle_class: str | None
    covered: list[_Pair] = Field(default_factory=list)
    paid: list[_Pair] = Field(default_factory=list)
    vouchers: list[_Voucher] = Field(default_factory=list)
    vouchers_as_given: bool = False
    history: Json | None = None


class Calculation(_Strict):
    """Everything that the fee is a pure function of, and the fee."""

    stay_id: str
    operator: Named
    lot: Named
    entry: Passage
    exit: Passage
    tariff: TariffText
    record: Record
    marks: list[str] = Field(default_factory=list)


class Order(_Strict):
    """A payment that the channel took; `surplus` marks one too many, which is refunded."""

    order_no: str
    channel: str
    amount_minor: _Count
    paid_at: _Instant
    surplus: bool


class Refund(_Strict):
    """Money that went back."""

    refund_no: str
    order_no: str
    reason: str
    amount_minor: _Count
    refunded_at: _Instant


class Settlement(_Strict):
    """What has become of the fee until the document was made; no part of the calculation and not under its hash.

    `charge` is None while no charge was raised; `state` is then `no_charge` (nothing is due), `waived` or `pending`.
    """

    state: Literal[
        "no_charge", "pending", "due", "attempting", "paid", "arrears", "waived", "part_refunded", "refunded"
    ]
    gross_minor: _Count
    discount_minor: _Count
    net_minor: _Count
    paid_minor: _Count
    paid_at: _Instant | None
    refunded_minor: _Count
    orders: list[Order]
    refunds: list[Refund]


class Receipt(_Strict):
    """A receipt of the right shape; whether it is right is another question (`parkflow.receipt.verify`)."""

    format: Literal["parkflow receipt 1"]
    calculation: Calculation
    calculation_sha256: _Hash
    settlement: Settlement
    _document: Json = PrivateAttr(default_factory=dict)

    @property
    def document(self) -> Json:
        """The document as JSON values, exactly as it was read or made."""
        return self._document

    def to_json(self) -> str:
        """The canonical text of the whole document, with a line end."""
        return canonical(self._document) + "\n"


def make(calculation: Json, settlement: Json) -> Receipt:
    """The receipt of these parts."""
    return _shaped(
        {
            "format": FORMAT,
            "calculation": calculation,
            "calculation_sha256": calculation_sha256(calculation),
            "settlement": settlement,
        }
    )


def read(text: bytes) -> Receipt:
    """The receipt in `text`, which may come from anybody.

    Raises ReceiptTooLarge, ReceiptNotJson, ReceiptMalformed; the message begins with the code.
    """
    if len(text) > DOCUMENT_BYTES_MAX:
        raise ReceiptTooLarge(f"receipt_too_large: a receipt has at most {DOCUMENT_BYTES_MAX} bytes")
    try:
        value = json.loads(
            text.decode(),
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
        )
        _bounded(value)
        # A lone surrogate can be spelled in JSON, but no text has it.
        canonical(value).encode()
    except RecursionError:
        raise ReceiptNotJson("receipt_not_json: the JSON is nested too deeply") from None
    except ValueError as error:
        raise ReceiptNotJson(f"receipt_not_json: {_one_line(str(error))}") from None
    if not isinstance(value, dict):
        raise ReceiptMalformed("receipt_malformed: a receipt is a JSON object")
    return _shaped(value)


def canonical(value: object) -> str:
    """Compact JSON with sorted names, characters as they are; the engine writes its records and tariffs alike."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def calculation_sha256(calculation: Json) -> str:
    """Lower-case hex of SHA-256 (FIPS 180-4) over the UTF-8 bytes of the canonical JSON."""
    return hashlib.sha256(canonical(calculation).encode()).hexdigest()


def _shaped(document: Json) -> Receipt:
    if document.get("format") != FORMAT:
        raise ReceiptMalformed(f"receipt_malformed: `format` must be {FORMAT!r}")
    try:
        receipt = Receipt.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ReceiptMalformed(f"receipt_malformed: {_path(first['loc'])}: {_one_line(first['msg'])}") from None
    receipt._document = document
    return receipt


def _path(place: Sequence[int | str]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return _one_line(text.removeprefix("."))


def _one_line(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable if len(printable) <= _SHOWN_CHARACTERS_MAX else printable[:_SHOWN_CHARACTERS_MAX] + "…"


def _bounded(value: object) -> None:
    level = [value]
    for _ in range(_DEPTH_MAX):
        if not level:
            return
        level = [part for whole in level for part in _parts(whole)]
    raise ValueError(f"nested deeper than {_DEPTH_MAX} levels")


def _parts(whole: object) -> Iterable[object]:
    if isinstance(whole, dict):
        return whole.values()
    return whole if isinstance(whole, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands twice in one object")
    return found


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise ValueError(f"a number has at most {_DIGITS_MAX} digits")
    return int(digits)


def _no_fraction(text: str) -> int:
    raise ValueError(f"{text[:_DIGITS_MAX]} is no whole number")
