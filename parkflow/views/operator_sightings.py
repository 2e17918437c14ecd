"""What an operator's people look through: passages whose card is not known, and barriers raised by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of
from parkflow.views.driver import Place

_SQL = load(__file__, "operator_sightings.sql")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SightingLine:
    """A sighting as it is stored, what was seen still sealed; None for a lift."""

    sighting_id: int
    gate_id: int
    lot_id: int
    direction: str
    medium: str
    seen_sealed: bytes | None
    lifted_by: str | None
    scanned_at: datetime
    received_at: datetime
    state: str
    reason: str | None
    card_id: int | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sightings; None is any. `until` is not in the span."""

    state: str
    reason: str | None = None
    lot_id: int | None = None
    direction: str | None = None
    medium: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class BarrierDay:
    """One gate on one local day; lifts of whom the gate did not name anybody are not in `by_person`."""

    day: date
    gate_id: int
    lot_id: int
    lifts: int = 0
    lifts_nothing_shown: int = 0
    plates_refused: int = 0
    by_person: dict[str, int] = field(default_factory=dict)


async def sightings(
    conn: Conn, operator_id: int, wanted: Wanted, *, before: Place, limit: int
) -> Sequence[SightingLine]:
    """A page of the operator's sightings that wait for a person, or are kept as records, newest first."""
    rows = await conn.fetch(
        _SQL.sightings,
        operator_id,
        before.at,
        before.ident,
        limit,
        wanted.state,
        wanted.reason,
        wanted.lot_id,
        wanted.direction,
        wanted.medium,
        wanted.since,
        wanted.until,
    )
    return [_line(row) for row in rows]


async def sighting(conn: Conn, operator_id: int, sighting_id: int) -> SightingLine | None:
    """One sighting of the operator, decided or not."""
    row = await conn.fetchrow(_SQL.sighting, bucket_of(sighting_id), sighting_id, operator_id)
    return None if row is None else _line(row)


async def barriers_by_hand(
    conn: Conn, operator_id: int, *, first: date, last: date, time_zone: str
) -> Sequence[BarrierDay]:
    """Per gate and local day from `first` to `last` (in it): raised barriers, by whom, and refused plates."""
    zone = ZoneInfo(time_zone)
    lots = {row["gate_id"]: row["lot_id"] for row in await conn.fetch(_SQL.gates, operator_id)}
    start, end = datetime.combine(first, time(), zone), datetime.combine(last + _DAY, time(), zone)
    gate_ids = sorted(lots)
    buckets = sorted({bucket_of(gate_id) for gate_id in gate_ids})
    days: dict[tuple[date, int], BarrierDay] = {}
    for row in await conn.fetch(_SQL.barriers_by_hand, buckets, gate_ids, start, end, time_zone):
        key = (row["day"], row["gate_id"])
        line = days.setdefault(key, BarrierDay(*key, lots[row["gate_id"]]))
        line.lifts += row["lifts"]
        line.lifts_nothing_shown += row["lifts_nothing_shown"]
        line.plates_refused += row["plates_refused"]
        if row["lifted_by"] is not None:
            line.by_person[row["lifted_by"]] = row["lifts"]
    return list(days.values())


def _line(row: Row) -> SightingLine:
    return SightingLine(**dict(row.items()))
