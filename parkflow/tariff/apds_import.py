"""APDS 4 as a tariff: from the document's own extension, or from its standard part and the facts that somebody says.

Nothing is guessed: what the standard does not hold is asked for, what a tariff does not hold is named as lost, and what
could mean two things is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from parkflow.core import Tariff, TariffError
from parkflow.tariff.apds import (
    DEPTH_MAX,
    EXTENSION,
    EXTENSION_FORMAT,
    ApdsRefused,
    Assumption,
    Loss,
    exponent_of,
    first_difference,
    minor_of,
    shown,
)
from parkflow.tariff.apds_export import POINTER, export_tariff
from parkflow.tariff.apds_facts import Facts
from parkflow.tariff.apds_models import parse
from parkflow.tariff.apds_plans import tariff_fields

_EXPONENT_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Imported:
    """The tariff, what it took for given, and what of the document it does not hold."""

    tariff: Tariff
    assumptions: Sequence[Assumption]
    losses: Sequence[Loss]


def import_document(raw: dict[str, Any], facts: Facts) -> Imported:
    """The tariff of a document that read_document has read. Raises ApdsRefused."""
    if EXTENSION in raw:
        return Imported(_from_extension(raw), (), ())
    document = parse(raw)
    currency = document.rateTables[0].rateLineCollections[0].applicableCurrency
    fields = tariff_fields(document, exponent_of(currency), facts)
    facts.check()
    return Imported(_load(fields), facts.assumptions, facts.losses)


def _from_extension(raw: dict[str, Any]) -> Tariff:
    extension = raw[EXTENSION]
    if not isinstance(extension, dict) or extension.get("format") != EXTENSION_FORMAT:
        raise ApdsRefused(f"{EXTENSION}: is not of the format {EXTENSION_FORMAT!r}; remove it")
    skeleton = extension.get("tariff")
    exponent = skeleton.get("minor_exponent") if isinstance(skeleton, dict) else None
    if type(exponent) is not int or not 0 <= exponent <= _EXPONENT_MAX:
        raise ApdsRefused(f"{EXTENSION}.tariff: is not a tariff")
    tariff = _load(_resolved(skeleton, raw, exponent))
    # Whoever changes more than prices has made another tariff than the one beside it.
    standard = {name: part for name, part in export_tariff(tariff).document.items() if name != EXTENSION}
    if (place := first_difference(standard, raw)) is not None:
        raise ApdsRefused(f"{shown(place)}: contradicts {EXTENSION}; remove {EXTENSION} to import what APDS holds")
    return tariff


def _resolved(value: object, raw: Mapping[str, Any], exponent: int) -> object:
    """The tariff with each pointer replaced by the amount that it points at."""
    match value:
        case dict() if POINTER in value:
            pointer = value[POINTER]
            if len(value) > 1 or not isinstance(pointer, str):
                raise ApdsRefused(f"{EXTENSION}.tariff: {POINTER} is not a JSON pointer")
            return minor_of(_pointed(pointer, raw), exponent, shown(pointer))
        case dict():
            return {name: _resolved(item, raw, exponent) for name, item in value.items()}
        case list():
            return [_resolved(item, raw, exponent) for item in value]
        case _:
            return value


def _pointed(pointer: str, raw: Mapping[str, Any]) -> object:
    """What a JSON pointer (RFC 6901) points at; the names of the standard need no escapes."""
    found: object = raw
    for part in pointer.split("/")[1 : DEPTH_MAX + 1]:
        match found:
            case dict() if part in found:
                found = found[part]
            case list() if part.isascii() and part.isdigit() and len(part) < 10 and int(part) < len(found):
                found = found[int(part)]
            case _:
                raise ApdsRefused(f"{EXTENSION}.tariff: {shown(pointer)} points at nothing")
    return found


def _load(fields: object) -> Tariff:
    try:
        return Tariff.load(json.dumps(fields, ensure_ascii=False))
    except TariffError as error:
        raise ApdsRefused(f"the tariff made of it is refused: {shown(' '.join(error.message.split()))}") from None
    except (TypeError, ValueError):
        raise ApdsRefused(f"{EXTENSION}.tariff: holds fractions, which no tariff has") from None
