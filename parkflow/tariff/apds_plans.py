"""Rate tables and their eligibility as plans: who may use a table becomes a condition, its validity a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from parkflow.tariff.apds import ApdsRefused, Assumption, decimal_of, minor_of, shown
from parkflow.tariff.apds_facts import Facts
from parkflow.tariff.apds_models import (
    AmountInCurrency,
    Document,
    Eligibility,
    RateEligibility,
    RateLineCollection,
    RateTable,
    Reference,
    RightSpecification,
)
from parkflow.tariff.apds_names import CLASS_LIST, VEHICLE_TYPES, missing_parts
from parkflow.tariff.apds_scale import ladder_of
from parkflow.tariff.apds_times import local_date, whens_of

_TAX_BP_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Table:
    """A RateTable with its one collection and how it is entitled."""

    entry: RateEligibility
    table: RateTable
    collection: RateLineCollection
    path: str


def tariff_fields(document: Document, exponent: int, facts: Facts) -> dict[str, Any]:
    """The fields of the tariff; asks `facts` for what is missing. Raises ApdsRefused."""
    right = document.rightSpecification
    tables = _entitled(document, facts)
    if right is not None:
        _look_for_missing_parts(right, facts)
    currencies = {table.collection.applicableCurrency for table in tables}
    if len(currencies) > 1:
        raise ApdsRefused(f"tables in {' and '.join(sorted(currencies))}; a tariff has one currency")
    groups, lowest = _groups(tables)
    plans = [_plan(group, exponent, facts, lowest=lowest) for group in groups]
    zone = facts.ask("timezone", "UTC", "the zone belongs to the Place")
    return {
        "ptl": 1,
        "id": right.id if right is not None else document.rateTables[0].id,
        "currency": currencies.pop(),
        "minor_exponent": exponent,
        "timezone": zone,
        **_dates(tables, zone),
        "plans": plans,
        **({"choose": "lowest"} if lowest else {}),
        **_tax(tables, facts),
    }


def _entitled(document: Document, facts: Facts) -> list[_Table]:
    """Each table that the right specification names, with the losses of what stands around the prices."""
    by_id: dict[str, tuple[int, RateTable]] = {}
    for place, table in enumerate(document.rateTables):
        if table.id in by_id:
            raise ApdsRefused(
                f"rateTables[{place}]: a second table {shown(table.id)}; versions are imported one by one"
            )
        by_id[table.id] = (place, table)
    if document.rightSpecification is not None:
        entries = document.rightSpecification.rateEligibility
    elif len(by_id) == 1:
        entries = [RateEligibility(id="rate", rateTable=Reference(id=document.rateTables[0].id))]
    else:
        raise ApdsRefused(f"{len(by_id)} rate tables without a rightSpecification: which one applies is not said")
    tables = []
    for entry in entries:
        if entry.rateTable.id not in by_id:
            raise ApdsRefused(f"rateEligibility names the table {shown(entry.rateTable.id)}, which is not here")
        place, table = by_id[entry.rateTable.id]
        path = f"rateTables[{place}]"
        if len(table.rateLineCollections) > 1:
            raise ApdsRefused(f"{path}.rateLineCollections: collections that follow each other are imported one by one")
        tables.append(_Table(entry, table, table.rateLineCollections[0], path))
    _name_losses(document, tables, facts)
    return tables


def _look_for_missing_parts(right: RightSpecification, facts: Facts) -> None:
    texts = right.description if isinstance(right.description, list) else []
    for text in texts:
        found = missing_parts(str(text.get("string", ""))) if isinstance(text, dict) else None
        if found:
            facts.ask("incomplete", "yes", f"these rules are missing: {shown(found)}")


def _name_losses(document: Document, tables: Sequence[_Table], facts: Facts) -> None:
    used = {table.table.id for table in tables}
    for name in sorted(document.model_extra or {}):
        facts.lose(shown(name), "is not read")
    for place, unused in enumerate(document.rateTables):
        if unused.id not in used:
            facts.lose(f"rateTables[{place}]", "no rateEligibility names it")
    right = document.rightSpecification
    if right is not None:
        for name in sorted((right.model_extra or {}).keys() - {"version", "type"}):
            facts.lose(f"rightSpecification.{shown(name)}", "a tariff has no field for it")
        if right.validity not in (None, {"validityStatus": "active"}):
            facts.lose("rightSpecification.validity", "when a lot may be used is no rule of prices")
    for table in tables:
        _name_table_losses(table, facts)


def _name_table_losses(table: _Table, facts: Facts) -> None:
    for name in sorted((table.table.model_extra or {}).keys() - {"version"}):
        facts.lose(f"{table.path}.{shown(name)}", "a tariff has no field for it")
    if table.entry.rateDiscount is not None:
        facts.lose("rateEligibility.rateDiscount", "the sign of a discount is not defined; discounts are vouchers here")
    times = table.table.validity.validityTimeSpecification if table.table.validity is not None else None
    for name in ("overallStartTime", "overallEndTime"):
        if times is not None and getattr(times, name) is not None:
            facts.lose(f"{table.path}.validity.{name}", "a tariff has the dates of its collections only")
    collection = f"{table.path}.rateLineCollections[0]"
    for name in ("minTime", "maxTime"):
        if getattr(table.collection, name) is not None:
            facts.lose(f"{collection}.{name}", "how long a stay may be is a rule of the lot")


def _groups(tables: Sequence[_Table]) -> tuple[list[list[_Table]], bool]:
    """The tables of each plan, and whether the cheapest plan is taken."""
    combinable = {bool(table.entry.combinable) for table in tables}
    if len(combinable) > 1:
        raise ApdsRefused("rateEligibility: some tables are combinable and some are not; which rule holds is not said")
    if len(tables) > 1 and any(table.entry.priority is None for table in tables):
        raise ApdsRefused("rateEligibility: several tables need a priority each")
    priorities = [table.entry.priority for table in tables]
    if len(set(priorities)) < len(priorities):
        raise ApdsRefused("rateEligibility: a priority is given twice")
    ordered = sorted(tables, key=lambda table: table.entry.priority or 0)
    if combinable == {True}:
        return [[table] for table in ordered], True
    groups = [list(group) for _, group in groupby(ordered, key=lambda table: _eligibility_id(table.entry))]
    ids = [_eligibility_id(group[0].entry) for group in groups]
    if len(set(ids)) < len(ids):
        raise ApdsRefused("rateEligibility: the priorities of two eligibilities alternate; a plan is one of them")
    for group in groups:
        if len({repr(table.entry.eligibility) for table in group}) > 1:
            raise ApdsRefused(f"rateEligibility: two eligibilities with the id {shown(ids[groups.index(group)])}")
    return groups, False


def _eligibility_id(entry: RateEligibility) -> str:
    return entry.eligibility.id if entry.eligibility is not None else ""


def _plan(tables: Sequence[_Table], exponent: int, facts: Facts, *, lowest: bool) -> dict[str, Any]:
    entry = tables[0].entry
    names = _band_names(tables)
    own_name = names[0] if lowest else _eligibility_id(entry) or "rate"
    bands = [_band(table, name, exponent, facts) for table, name in zip(tables, names, strict=True)]
    windows = any("when" in band for band in bands)
    if windows and not all(len(band["ladder"]) == 1 and "for" not in band["ladder"][0] for band in bands):
        restart = facts.ask("restart", "occurrence", "durations of a period count from its start or from the stay's")
        bands = [{**band, "restart": restart} for band in bands]
    condition = _condition(entry.eligibility, facts)
    return {
        "id": own_name,
        **({"if": condition} if condition else {}),
        **_grace(facts),
        "cycle": _cycle(tables, facts),
        "edge": facts.ask("edge", "split") if windows else "split",
        "bands": bands,
        **_caps(tables, names, exponent, facts),
        **_minimum(tables, exponent, facts),
    }


def _band_names(tables: Sequence[_Table]) -> list[str]:
    """The ids of the entries where they are names, and numbers where they are not."""
    given = [table.entry.id for table in tables]
    if all(isinstance(name, str) and 0 < len(name) <= 100 for name in given) and len(set(given)) == len(given):
        return [str(name) for name in given]
    return [f"table-{place + 1}" for place in range(len(tables))]


def _band(table: _Table, name: str, exponent: int, facts: Facts) -> dict[str, Any]:
    whens = whens_of(table.table.validity, f"{table.path}.validity")
    ladder = ladder_of(table.collection, exponent, f"{table.path}.rateLines", facts)
    if table.collection.relativeTimes is None and len(ladder) > 1:
        facts.assumptions.append(
            Assumption("relativeTimes", "durations count from the start of the stay, as they do generally")
        )
    return {"id": name, **({"when": whens} if whens else {}), "ladder": ladder}


def _grace(facts: Facts) -> dict[str, Any]:
    said = facts.ask("grace", "none")
    if said == "none":
        return {}
    strict = {"strict": True} if said.startswith("<") else {}
    return {"grace": {"minutes": int(said.removeprefix("<")), **strict}}


def _cycle(tables: Sequence[_Table], facts: Facts) -> object:
    resets = {table.collection.resetTime for table in tables}
    if len(resets) > 1:
        raise ApdsRefused(f"{tables[0].path}: the tables of one eligibility have different reset times")
    reset = resets.pop() or facts.ask("cycle", "stay", "a collection has no resetTime")
    if reset == "stay":
        return reset
    return {"every": int(reset[:-1]) * 60} if reset.endswith("h") else {"daily": reset.zfill(5)}


def _bound(table: _Table, side: str) -> tuple[object, str] | None:
    """The minimum or maximum of a table and where it stands: of the collection, or of its only line."""
    path = f"{table.path}.rateLineCollections[0]"
    whole: AmountInCurrency | None = getattr(table.collection, f"{side}ValueCollection")
    of_lines = [getattr(line, f"{side}Value") for line in table.collection.rateLines]
    if any(value is not None for value in of_lines):
        if len(of_lines) > 1 or whole is not None:
            raise ApdsRefused(f"{path}: {side}Value of a line among others; a tariff bounds whole tables")
        return of_lines[0], f"{path}.rateLines[0].{side}Value"
    if whole is None:
        return None
    if whole.currencyType != table.collection.applicableCurrency:
        raise ApdsRefused(f"{path}.{side}ValueCollection: is in another currency than the lines")
    return whole.currencyValue, f"{path}.{side}ValueCollection"


def _caps(tables: Sequence[_Table], names: Sequence[str], exponent: int, facts: Facts) -> dict[str, Any]:
    caps = []
    for table, name in zip(tables, names, strict=True):
        if (bound := _bound(table, "max")) is not None:
            bands = {"bands": [name]} if len(tables) > 1 else {}
            caps.append({"max": minor_of(bound[0], exponent, bound[1]), "over": "cycle", **bands})
            facts.assumptions.append(Assumption(bound[1], "a maximum holds from one reset to the next"))
    return {"caps": caps} if caps else {}


def _minimum(tables: Sequence[_Table], exponent: int, facts: Facts) -> dict[str, Any]:
    bounds = [bound for table in tables if (bound := _bound(table, "min")) is not None]
    if not bounds:
        return {}
    if len(tables) > 1:
        raise ApdsRefused(f"{bounds[0][1]}: a minimum of one table among several; a tariff has one for the stay")
    facts.ask("min", "stay", "the span of a minimum is not defined")
    return {"min": minor_of(bounds[0][0], exponent, bounds[0][1])}


def _condition(eligibility: Eligibility | None, facts: Facts) -> dict[str, list[str]]:
    if eligibility is None or not eligibility.qualifications:
        return {}
    if len(eligibility.qualifications) > 1:
        raise ApdsRefused("eligibility.qualifications: whether one or all of several must hold is not said")
    qualification = eligibility.qualifications[0]
    classes = [name for name in qualification.vehicleTypes if name != "anyVehicle"]
    if "anyVehicle" in qualification.vehicleTypes:
        classes = []
    if unknown := [name for name in classes if name not in VEHICLE_TYPES]:
        raise ApdsRefused(f"eligibility: {shown(unknown[0])} is no vehicle type of APDS 4")
    own_classes = classes
    classes, tags = [], ["reservation"] if qualification.withReservation else []
    for group in (item.userGroup for item in qualification.userQualifications):
        listed = group.codeListId.id if group.codeListId is not None else ""
        (classes if listed == CLASS_LIST else tags).append(group.entryDefinedValue)
    if own_classes and classes:
        raise ApdsRefused("eligibility: vehicle types beside vehicle classes of another list cannot hold together")
    classes = classes or own_classes
    for tag in tags:
        facts.assumptions.append(Assumption(f"tag {shown(tag)}", "stays of this user group carry the tag"))
    return {**({"class": classes} if classes else {}), **({"tag": tags} if tags else {})}


def _dates(tables: Sequence[_Table], zone: str) -> dict[str, Any]:
    said = {(table.collection.validStart, table.collection.validEnd) for table in tables}
    if len(said) > 1:
        raise ApdsRefused("tables of different validStart or validEnd are versions; import one at a time")
    path = f"{tables[0].path}.rateLineCollections[0]"
    start, end = said.pop()
    valid = {
        **({"from": local_date(start, zone, f"{path}.validStart")} if start is not None else {}),
        **({"to": local_date(end, zone, f"{path}.validEnd")} if end is not None else {}),
    }
    return {"valid": valid} if valid else {}


def _tax(tables: Sequence[_Table], facts: Facts) -> dict[str, Any]:
    said = {(table.collection.taxIncluded, str(table.collection.taxRate)) for table in tables}
    if len(said) > 1:
        raise ApdsRefused("the tables differ in taxIncluded or taxRate; a tariff has one tax")
    collection = tables[0].collection
    included = collection.taxIncluded
    if included is None:
        included = facts.ask("tax", "included", "a collection has no taxIncluded") == "included"
    if collection.taxRate is None:
        if not included:
            raise ApdsRefused(f"{tables[0].path}: tax is added, but taxRate does not say how much")
        return {}
    try:
        rate_bp = decimal_of(collection.taxRate) * 100
    except ValueError as error:
        raise ApdsRefused(f"{tables[0].path}.taxRate: {error}") from None
    if rate_bp != int(rate_bp) or not 0 <= rate_bp <= _TAX_BP_MAX:
        raise ApdsRefused(f"{tables[0].path}.taxRate: needs a percentage of 0 to 100 with at most two decimals")
    return {"tax": {"rate_bp": int(rate_bp), "mode": "included" if included else "added"}}
