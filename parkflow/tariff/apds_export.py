"""A tariff as APDS 4: rate tables, a right specification that names them, and an extension with what these cannot hold.

Each band becomes a RateTable of its own, because a collection of rate lines has no windows; a plan becomes the
Eligibility that its tables share. Prices that APDS holds stand there only: the extension points at them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from parkflow.core import Tariff
from parkflow.tariff.apds import EXTENSION, EXTENSION_FORMAT, Loss, amount_of, exponent_of, percent_of
from parkflow.tariff.apds_lines import Line, held_cap, ladder_lines
from parkflow.tariff.apds_names import CLASS_LIST, TAG_LIST, VEHICLE_TYPES, incomplete_note
from parkflow.tariff.apds_times import NotHeld, date_time, validity_of

POINTER: Final = "$apds"

# What a tariff, a plan, a band and a step may hold that is written into APDS, or whose loss is named by itself.
_TARIFF_FIELDS: Final = frozenset(
    {
        "ptl",
        "id",
        "words",
        "source",
        "currency",
        "minor_exponent",
        "timezone",
        "valid",
        "dates",
        "plans",
        "choose",
        "tax",
    }
)
_PLAN_FIELDS: Final = frozenset({"id", "if", "grace", "cycle", "edge", "bands", "caps", "min"})
_BAND_FIELDS: Final = frozenset({"id", "when", "ladder", "restart"})
_STEP_FIELDS: Final = frozenset({"unit", "price", "for"})
# Facts that the import asks for, so that their loss changes no fee unnoticed. One answer serves the whole document.
_ASKED_OF_PLANS: Final = {"grace": None, "edge": None}


@dataclass(frozen=True, slots=True)
class Exported:
    """The document, and what of the tariff its standard part cannot hold."""

    document: dict[str, Any]
    losses: Sequence[Loss]


def export_tariff(tariff: Tariff) -> Exported:
    """The tariff as one document."""
    instants = (("validStart", tariff.valid_from_s), ("validEnd", tariff.valid_to_s))
    valid = {name: date_time(at_s) for name, at_s in instants if at_s is not None}
    return _Export(json.loads(tariff.canonical_json), valid).run()


@dataclass
class _Export:
    tariff: dict[str, Any]
    valid: Mapping[str, str]
    losses: list[Loss] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> Exported:
        self._tariff_losses()
        self._asked()
        for place, plan in enumerate(self.tariff["plans"]):
            self._plan(plan, f"plans[{place}]")
        changing = sorted({loss.path for loss in self.losses if loss.changes_fees})
        texts = [self.tariff["words"]] if "words" in self.tariff else []
        texts += [incomplete_note(changing)] if changing else []
        right = {
            "id": self.tariff["id"],
            "version": 1,
            "type": "oneTimeUseParking",
            **({"description": [{"language": "en", "string": text} for text in texts]} if texts else {}),
            "validity": {"validityStatus": "active"},
            "rateEligibility": self.entries,
        }
        extension = {
            "format": EXTENSION_FORMAT,
            "losses": [{"path": loss.path, "why": loss.why} for loss in self.losses],
            "tariff": self.tariff,
        }
        document = {"rightSpecification": right, "rateTables": self.tables, EXTENSION: extension}
        return Exported(document, self.losses)

    def _lose(self, path: str, why: str, *, changes_fees: bool = True) -> None:
        self.losses.append(Loss(path, why, changes_fees))

    def _unknown(self, fields: Mapping[str, Any], known: frozenset[str], path: str) -> None:
        for name in sorted(fields.keys() - known):
            self._lose(f"{path}{name}", "APDS has no field for it")

    def _tariff_losses(self) -> None:
        tariff = self.tariff
        self._unknown(tariff, _TARIFF_FIELDS, "")
        self._lose("timezone", "the zone belongs to the Place; the import asks for it", changes_fees=False)
        if "validStart" not in self.valid:
            self._lose("validStart", "the standard asks for it; the tariff has no `valid.from`", changes_fees=False)
        facts = "the standard asks for them; a tariff has none"
        self._lose("rightSpecification.hierarchyElements, issuer, transferable", facts, changes_fees=False)
        if "source" in tariff:
            self._lose("source", "APDS has no field for it", changes_fees=False)
        if tariff["minor_exponent"] != exponent_of(tariff["currency"]):
            self._lose("minor_exponent", "differs from ISO 4217, which an import follows")

    def _asked(self) -> None:
        """The facts for which the import asks once: they are lost when plans differ in them."""
        plans = self.tariff["plans"]
        for name in _ASKED_OF_PLANS:
            concerned = [plan for plan in plans if name != "edge" or _has_windows(plan)]
            self._asked_once(name, [plan.get(name) for plan in concerned])
        cycles = [plan["cycle"] for plan in plans if "daily" not in plan["cycle"]]
        self._asked_once("cycle", cycles)
        bands = [band for plan in plans if _has_windows(plan) for band in plan["bands"] if not _is_open(band)]
        self._asked_once("restart", [band.get("restart", "occurrence") for band in bands])
        self._asked_once("min", [plan["min"] for plan in plans if "min" in plan][:1])

    def _asked_once(self, name: str, values: Sequence[object]) -> None:
        if any(value is not None for value in values):
            same = all(value == values[0] for value in values)
            why = "APDS has no field for it; the import asks for it" if same else "differs between plans"
            self._lose(f"plans[].{name}", why, changes_fees=not same)

    def _plan(self, plan: dict[str, Any], path: str) -> None:
        self._unknown(plan, _PLAN_FIELDS, f"{path}.")
        lowest = self.tariff.get("choose") == "lowest"
        if lowest and len(plan["bands"]) > 1:
            self._lose(f"{path}.bands", "tables that are combined for the lowest cost cannot be bands of one plan")
        eligibility = {"id": plan["id"], "version": 1, **self._qualifications(plan.get("if", {}), f"{path}.if")}
        first_table = len(self.tables)
        for place, band in enumerate(plan["bands"]):
            self._band(plan, band, f"{path}.bands[{place}]")
            self.entries.append(
                {
                    "id": band["id"],
                    "version": 1,
                    "priority": len(self.entries) + 1,
                    "combinable": lowest,
                    "eligibility": eligibility,
                    "rateTable": {"id": self.tables[-1]["id"], "version": 1, "className": "RateTable"},
                }
            )
        self._caps(plan, path, first_table)
        self._min(plan, path, first_table)

    def _qualifications(self, condition: Mapping[str, Any], path: str) -> dict[str, Any]:
        for name in sorted(condition.keys() - {"class", "tag"}):
            self._lose(f"{path}.{name}", "an Eligibility knows vehicles and users, not the stay")
        classes, tags = (_as_list(condition.get(name)) for name in ("class", "tag"))
        qualification: dict[str, Any] = {}
        groups = [_group(TAG_LIST, tag) for tag in tags]
        if classes and VEHICLE_TYPES.issuperset(classes):
            qualification["vehicleTypes"] = classes
        elif classes and tags:
            self._lose(f"{path}.class", "is no vehicle type of APDS and stands beside a tag")
        else:
            groups += [_group(CLASS_LIST, name) for name in classes]
        if groups:
            qualification["userQualifications"] = groups
        return {"qualifications": [qualification]} if qualification else {}

    def _band(self, plan: Mapping[str, Any], band: dict[str, Any], path: str) -> None:
        self._unknown(band, _BAND_FIELDS, f"{path}.")
        collection: dict[str, Any] = {"collectionSequence": 1, "applicableCurrency": self.tariff["currency"]}
        daily = plan["cycle"].get("daily") if isinstance(plan["cycle"], dict) else None
        if daily and len(daily) == len("00:00"):
            collection["resetTime"] = daily
        elif daily:
            self._lose(f"{path}.cycle", "a reset time has no seconds")
        collection |= {**self.valid, "relativeTimes": True}
        tax = self.tariff.get("tax", {"mode": "included"})
        collection["taxIncluded"] = tax["mode"] == "included"
        if "rate_bp" in tax:
            collection["taxRate"] = percent_of(tax["rate_bp"])
        collection["rateLines"] = self._lines(plan, band, path)
        table_id = f"{self.tariff['id']}/{plan['id']}/{band['id']}"
        self.tables.append(
            {
                "id": table_id,
                "version": 1,
                "rateTableName": [{"language": "en", "string": table_id}],
                "availability": "public",
                **self._validity(band, path),
                "rateLineCollections": [collection],
            }
        )

    def _validity(self, band: Mapping[str, Any], path: str) -> dict[str, Any]:
        if "when" not in band:
            return {}
        try:
            validity, named = validity_of(_as_list(band["when"]))
        except NotHeld as error:
            self._lose(f"{path}.when", f"APDS cannot hold {error}")
            return {}
        for name in sorted(named):
            self._lose(f"{path}.when: dates {name}", "APDS knows kinds of special days, not their dates")
        return {"validity": validity}

    def _lines(self, plan: Mapping[str, Any], band: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
        for place, step in enumerate(band["ladder"]):
            self._unknown(step, _STEP_FIELDS, f"{path}.ladder[{place}].")
        lines, fault = ladder_lines(band["ladder"], plan["cycle"])
        if fault:
            self._lose(f"{path}.ladder", fault)
        return [self._line(place, line) for place, line in enumerate(lines)]

    def _line(self, place: int, line: Line) -> dict[str, Any]:
        written = {"sequence": place + 1, "rateLineType": line.kind, **line.bounds}
        if line.step is None:
            return {**written, "value": self._amount(0)}
        price = line.step["price"]
        line.step["price"] = _pointer(len(self.tables), f"rateLines/{place}/value")
        return {**written, "value": self._amount(price)}

    def _caps(self, plan: dict[str, Any], path: str, first_table: int) -> None:
        for place, cap in enumerate(plan.get("caps", ())):
            band_place = held_cap(cap, plan)
            collection = self._collection(first_table + (band_place or 0))
            if band_place is None or "maxValueCollection" in collection:
                self._lose(f"{path}.caps[{place}]", "APDS holds one maximum for each table and reset, for one stay")
                continue
            collection["maxValueCollection"] = self._money(cap["max"])
            cap["max"] = _pointer(first_table + band_place, "maxValueCollection/currencyValue")

    def _min(self, plan: dict[str, Any], path: str, first_table: int) -> None:
        if "min" not in plan:
            return
        if len(plan["bands"]) > 1:
            self._lose(f"{path}.min", "APDS holds a minimum for each table, not for the stay")
            return
        self._collection(first_table)["minValueCollection"] = self._money(plan["min"])
        plan["min"] = _pointer(first_table, "minValueCollection/currencyValue")

    def _collection(self, table: int) -> dict[str, Any]:
        collection: dict[str, Any] = self.tables[table]["rateLineCollections"][0]
        return collection

    def _money(self, minor: int) -> dict[str, Any]:
        return {"currencyType": self.tariff["currency"], "currencyValue": self._amount(minor)}

    def _amount(self, minor: int) -> object:
        return amount_of(minor, self.tariff["minor_exponent"])


def _has_windows(plan: Mapping[str, Any]) -> bool:
    return any("when" in band for band in plan["bands"])


def _is_open(band: Mapping[str, Any]) -> bool:
    """Whether the ladder is one endless step, so that it does not matter where on it a unit starts."""
    return len(band["ladder"]) <= 1 and not any("for" in step for step in band["ladder"])


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _group(code_list: str, value: str) -> dict[str, Any]:
    return {"userGroup": {"codeListId": {"id": code_list, "version": 1}, "entryDefinedValue": value}}


def _pointer(table: int, rest: str) -> dict[str, str]:
    """A JSON pointer (RFC 6901) to the one place where the amount stands."""
    return {POINTER: f"/rateTables/{table}/rateLineCollections/0/{rest}"}
