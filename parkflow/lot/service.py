"""Lots and lanes: made by their operator, looked up only through it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import available_timezones

from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import new_bucket, new_id
from parkflow.lot import store
from parkflow.lot.rules import Direction, InvalidLot, lot_policy
from parkflow.lot.store import Lane, Lot

__all__ = ["Lane", "Lot", "NewLot"]

ID_PREFIX: Final = "lot"
LANE_ID_PREFIX: Final = "lane"
PRODUCT_PARKING: Final = 1
NAME_LENGTH_MAX: Final = 120
# References are typed, printed and put into file names.
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ReferenceTaken(ParkflowError):
    """This reference is in use; choose another."""

    code = "reference_taken"
    status = 409


@dataclass(frozen=True, slots=True)
class NewLot:
    """What a lot begins with; `policy` overrides the defaults of LotPolicy field by field."""

    reference: str
    name: str
    time_zone: str
    policy: Mapping[str, object] = field(default_factory=dict)


async def create_lot(
    conn: Conn,
    *,
    operator_id: int,
    new: NewLot,
    now: datetime,
) -> Lot:
    """A new lot of the operator. Raises InvalidLot, ReferenceTaken."""
    _require_reference(new.reference)
    if not 1 <= len(new.name.strip()) <= NAME_LENGTH_MAX:
        raise InvalidLot(f"a lot needs a name of 1 to {NAME_LENGTH_MAX} characters")
    if new.time_zone not in available_timezones():
        raise InvalidLot(f"{new.time_zone!r} is not an IANA time zone such as America/New_York")
    lot = Lot(
        lot_id=new_id(new_bucket()),
        operator_id=operator_id,
        reference=new.reference,
        name=new.name.strip(),
        time_zone=new.time_zone,
        product=PRODUCT_PARKING,
        policy=lot_policy(new.policy),
    )
    if not await store.insert_lot(conn, lot, now):
        raise ReferenceTaken(f"the operator has a lot with the reference {new.reference!r}; choose another")
    return lot


async def create_lane(
    conn: Conn, *, operator_id: int, lot_id: int, reference: str, direction: Direction, now: datetime
) -> Lane:
    """A new lane of the operator's lot. Raises NotFound, InvalidLot, ReferenceTaken."""
    await get(conn, operator_id=operator_id, lot_id=lot_id)
    _require_reference(reference)
    lane = Lane(new_id(new_bucket()), lot_id, reference, direction)
    if not await store.insert_lane(conn, lane, now):
        raise ReferenceTaken(f"the lot has a lane with the reference {reference!r}; choose another")
    return lane


async def get(conn: Conn, *, operator_id: int, lot_id: int) -> Lot:
    """The operator's lot. Raises NotFound, also for another operator's."""
    found = await store.lot(conn, operator_id, lot_id)
    if found is None:
        raise NotFound("the operator has no such lot")
    return found


async def get_lane(conn: Conn, *, operator_id: int, lane_id: int) -> Lane:
    """The operator's lane. Raises NotFound, also for another operator's."""
    found = await store.lane(conn, operator_id, lane_id)
    if found is None:
        raise NotFound("the operator has no such lane")
    return found


async def of_operator(conn: Conn, operator_id: int) -> Sequence[Lot]:
    """All lots of the operator, by reference."""
    return await store.lots_of_operator(conn, operator_id)


async def lanes_of_operator(conn: Conn, operator_id: int) -> Mapping[int, Sequence[Lane]]:
    """The lanes of all lots of the operator, by lot; a lot without lanes is not in it."""
    lanes: dict[int, list[Lane]] = {}
    for lane in await store.lanes_of_operator(conn, operator_id):
        lanes.setdefault(lane.lot_id, []).append(lane)
    return lanes


async def by_id(conn: Conn, lot_ids: Sequence[int]) -> Mapping[int, Lot]:
    """The lots of `lot_ids`, of any operator; for steps that work on rows already checked."""
    return {lot.lot_id: lot for lot in await store.lots_by_id(conn, lot_ids)}


async def lanes_by_id(conn: Conn, lane_ids: Sequence[int]) -> Mapping[int, Lane]:
    """The lanes of `lane_ids`, of any operator; for steps that work on rows already checked."""
    return {lane.lane_id: lane for lane in await store.lanes_by_id(conn, lane_ids)}


def _require_reference(reference: str) -> None:
    if not _REFERENCE.fullmatch(reference):
        raise InvalidLot(f"a reference is 1 to 64 of letters, digits, . _ and -, not {reference[:70]!r}")
