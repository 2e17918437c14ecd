"""The rows of lots and lanes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.lot.rules import Direction, LotPolicy, lot_policy

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class Lot:
    """A car park or bus line of one operator."""

    lot_id: int
    operator_id: int
    reference: str
    name: str
    time_zone: str
    product: int
    policy: LotPolicy


@dataclass(frozen=True, slots=True)
class Lane:
    """One way in or out of a lot."""

    lane_id: int
    lot_id: int
    reference: str
    direction: Direction


async def insert_lot(conn: Conn, lot: Lot, now: datetime) -> bool:
    """Whether the lot is new; False when the operator has one of that reference."""
    inserted = await conn.fetchval(
        _SQL.insert_lot,
        lot.lot_id,
        lot.operator_id,
        lot.reference,
        lot.name,
        lot.time_zone,
        lot.product,
        lot.policy.to_json(),
        now,
    )
    return inserted is not None


async def lot(conn: Conn, operator_id: int, lot_id: int) -> Lot | None:
    found = await conn.fetchrow(_SQL.lot_row, operator_id, lot_id)
    return _lot(found) if found else None


async def lots_of_operator(conn: Conn, operator_id: int) -> list[Lot]:
    return [_lot(found) for found in await conn.fetch(_SQL.lots_of_operator, operator_id)]


async def lots_by_id(conn: Conn, lot_ids: Sequence[int]) -> list[Lot]:
    return [_lot(found) for found in await conn.fetch(_SQL.lots_by_id, list(lot_ids))]


async def insert_lane(conn: Conn, lane: Lane, now: datetime) -> bool:
    """Whether the lane is new; False when the lot has one of that reference."""
    args = (lane.lane_id, lane.lot_id, lane.reference, lane.direction, now)
    return await conn.fetchval(_SQL.insert_lane, *args) is not None


async def lane(conn: Conn, operator_id: int, lane_id: int) -> Lane | None:
    found = await conn.fetchrow(_SQL.lane_row, operator_id, lane_id)
    return _lane(found) if found else None


async def lanes_by_id(conn: Conn, lane_ids: Sequence[int]) -> list[Lane]:
    return [_lane(found) for found in await conn.fetch(_SQL.lanes_by_id, list(lane_ids))]


async def lanes_of_operator(conn: Conn, operator_id: int) -> list[Lane]:
    return [_lane(found) for found in await conn.fetch(_SQL.lanes_of_operator, operator_id)]


def _lane(found: Row) -> Lane:
    return Lane(found["lane_id"], found["lot_id"], found["reference"], Direction(found["direction"]))


def _lot(found: Row) -> Lot:
    return Lot(**{**dict(found.items()), "policy": lot_policy(found["policy"])})
