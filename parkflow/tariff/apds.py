"""The writing of APDS 4: JSON read with care, decimal money, durations, and the refusal of everything else.

APDS is the parking data standard of the Alliance for Parking Data Standards; version 4 is described by its OpenAPI text
(github parking-data-standards/apds-sandbox, `apiv4/apds4.yaml`). Only facts of it are used: names and their meaning.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from parkflow.kit.errors import ParkflowError

# A national platform's rate tables have some kilobytes each; this is room for a thousand.
DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
DEPTH_MAX: Final = 32
# As the tariff language's own bound on prices: nothing above it can be priced.
_MINOR_MAX: Final = 10**12
# Numbers are computed with 28 digits; up to these bounds every step is exact.
_EXPONENT_MAX: Final = 15
_DIGITS_MAX: Final = 20
_SECONDS_MAX: Final = 3_660 * 86_400

EXTENSION: Final = "x-parkflow"
EXTENSION_FORMAT: Final = "parkflow apds 1"

# ISO 4217: the currencies whose minor unit is not a hundredth.
_EXPONENTS: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}

# Fields that others may add beside our extension, because no price follows from them.
_WITHOUT_PRICE: Final = frozenset(
    {"id", "version", "description", "usageCondition", "validStart", "validEnd", "minTime", "maxTime", "periodName"}
    | {"overallStartTime", "overallEndTime", "eligibilityName", "rateResponsibleParty", "rateTableID", "rateType"}
    | {"additionalInformation", "rateSupersedeLink", "validation", "extensions", "className"}
)
# The document itself and the right specification, around the prices.
_OPEN_PLACES: Final = frozenset({"", "rightSpecification"})

_CLOCK_DURATION = re.compile(r"(?:(\d{1,3}):)?(\d{1,4}):([0-5]\d)")
# ISO 8601 without years and months, whose length varies. Flows of the UK platform write `P3600S`, without the T.
_ISO_DURATION = re.compile(r"P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?")
_BARE_SECONDS = re.compile(r"P(\d{1,9})S")


class ApdsRefused(ParkflowError):
    """The text is not rate data in APDS 4 that a tariff can be made of."""

    code = "apds_refused"
    status = 422


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that does not survive the way; `path` names it in the document it is lost from.

    Without what `changes_fees` the same stay may cost something else.
    """

    path: str
    why: str
    changes_fees: bool = False

    def __str__(self) -> str:
        return f"loss: {self.path}: {self.why}"


@dataclass(frozen=True, slots=True)
class Assumption:
    """A fact that the document does not hold and somebody said, or that the standard implies."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"assumption: {self.name}: {self.why}"


def read_document(content: bytes) -> dict[str, Any]:
    """The JSON object of a document; its fractions are Decimals, so no digit is lost. Raises ApdsRefused."""
    if len(content) > DOCUMENT_BYTES_MAX:
        raise ApdsRefused(f"the document has {len(content)} bytes; at most {DOCUMENT_BYTES_MAX} are read")
    try:
        document = json.loads(
            content.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_duplicates,
        )
    except UnicodeDecodeError:
        raise ApdsRefused("the document is not UTF-8 text") from None
    except ArithmeticError:
        raise ApdsRefused("the document holds a number whose exponent is out of all bounds") from None
    except RecursionError:
        raise ApdsRefused(f"the document is nested deeper than {DEPTH_MAX} levels") from None
    except ValueError as error:
        raise ApdsRefused(f"the document is not JSON: {_one_line(error)}") from None
    if not isinstance(document, dict):
        raise ApdsRefused("the document is not a JSON object")
    _check_depth(document)
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _without_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {shown(twice)} is given twice in one object")
    return fields


def _check_depth(document: Mapping[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(DEPTH_MAX):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ApdsRefused(f"the document is nested deeper than {DEPTH_MAX} levels")


def _children(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _one_line(error: ValueError) -> str:
    return shown(" ".join(str(error).split()))


def shown(text: str) -> str:
    """A stranger's text for a message: short, on one line, without control characters."""
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= 120 else f"{clean[:120]}…"


def exponent_of(currency: str) -> int:
    """Decimal digits of the currency's minor unit, by ISO 4217."""
    return _EXPONENTS.get(currency, 2)


def decimal_of(value: object) -> Decimal:
    """A number of a document. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("needs a number")
    number = Decimal(value)
    if abs(number.adjusted()) > _EXPONENT_MAX or len(number.as_tuple().digits) > _DIGITS_MAX:
        raise ValueError("has more digits than an amount")
    return number


def minor_of(value: object, exponent: int, path: str) -> int:
    """The amount in minor units, exactly; more digits than the currency has are refused. Raises ApdsRefused."""
    try:
        scaled = decimal_of(value).scaleb(exponent)
    except ValueError as error:
        raise ApdsRefused(f"{path}: {error}") from None
    if scaled != scaled.to_integral_value():
        raise ApdsRefused(f"{path}: {value} has more than {exponent} decimals; the currency has no such amounts")
    if not 0 <= scaled <= _MINOR_MAX:
        raise ApdsRefused(f"{path}: {value} is negative or too large")
    return int(scaled)


def amount_of(minor: int, exponent: int) -> Decimal:
    """The amount as a decimal with the currency's digits."""
    return Decimal(minor).scaleb(-exponent)


def percent_of(rate_bp: int) -> Decimal:
    return Decimal(rate_bp).scaleb(-2).normalize()


def seconds_of(text: str, path: str) -> int:
    """`hh:mm`, `dd:hh:mm` or an ISO 8601 duration, in seconds. Raises ApdsRefused."""
    if (match := _CLOCK_DURATION.fullmatch(text)) is not None:
        days, hours, minutes = (int(part or 0) for part in match.groups())
        seconds = days * 86_400 + hours * 3_600 + minutes * 60
    elif (match := _BARE_SECONDS.fullmatch(text)) is not None:
        seconds = int(match[1])
    elif (match := _ISO_DURATION.fullmatch(text)) is not None and any(match.groups()):
        weeks, days, hours, minutes, rest = (int(part or 0) for part in match.groups())
        seconds = weeks * 604_800 + days * 86_400 + hours * 3_600 + minutes * 60 + rest
    else:
        raise ApdsRefused(f"{path}: {shown(text)!r} is not a duration such as 01:30, 01:00:00 or PT1H30M")
    if seconds > _SECONDS_MAX:
        raise ApdsRefused(f"{path}: {shown(text)!r} is longer than ten years")
    return seconds


def clock_duration(seconds: int) -> str | None:
    """`hh:mm`, or `dd:hh:mm` from a day on; None when there are odd seconds, which the format cannot hold."""
    hours, rest = divmod(seconds, 3_600)
    if rest % 60:
        return None
    days, day_hours = divmod(hours, 24)
    minutes = f"{rest // 60:02}"
    return f"{days:02}:{day_hours:02}:{minutes}" if days else f"{hours:02}:{minutes}"


def iso_duration(seconds: int) -> str:
    """The ISO 8601 duration, in hours, minutes and seconds."""
    hours, rest = divmod(seconds, 3_600)
    minutes, odd = divmod(rest, 60)
    parts = ((hours, "H"), (minutes, "M"), (odd, "S"))
    return "PT" + ("".join(f"{number}{letter}" for number, letter in parts if number) or "0S")


def to_json(value: object, indent: str = "") -> str:
    """Indented JSON in which Decimals keep their digits."""
    inner = indent + "  "
    match value:
        case dict() if value:
            rows = [
                f"{inner}{json.dumps(name, ensure_ascii=False)}: {to_json(item, inner)}" for name, item in value.items()
            ]
            return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
        case list() if value:
            return "[\n" + ",\n".join(inner + to_json(item, inner) for item in value) + f"\n{indent}]"
        case Decimal():
            return f"{value:f}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def first_difference(expected: object, given: object, path: str = "") -> str | None:
    """Where `given` lacks, contradicts or adds to `expected`; what holds no price may be added."""
    match expected, given:
        case dict(), dict():
            for name in [*expected, *given]:
                if name not in expected and (name in _WITHOUT_PRICE or path in _OPEN_PLACES or given[name] is None):
                    continue
                place = f"{path}.{name}" if path else name
                if name not in expected or name not in given:
                    return place
                if (found := first_difference(expected[name], given[name], place)) is not None:
                    return found
            return None
        case list(), list() if len(expected) == len(given):
            pairs = enumerate(zip(expected, given, strict=True))
            places = (first_difference(*pair, f"{path}[{place}]") for place, pair in pairs)
            return next((found for found in places if found is not None), None)
        case (bool(), _) | (_, bool()):
            return None if expected is given else path
        case _:
            return None if expected == given else path
