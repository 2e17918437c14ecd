"""The rows of gates, their watermarks and bundles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.gate.state import GateState
from parkflow.kit.ids import bucket_of

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class Gate:
    """The device at one lane."""

    gate_id: int
    operator_id: int
    lot_id: int
    lane_id: int
    public_key: bytes
    state: GateState

    @property
    def bucket(self) -> int:
        """Where the gate's events are kept."""
        return bucket_of(self.gate_id)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One signed version of what an operator's gates need offline."""

    version: int
    content_sha256: bytes
    payload: bytes
    signature: bytes
    issued_at: datetime
    expires_at: datetime

    @property
    def signed(self) -> bytes:
        """What a gate takes: the content and the signature behind it."""
        return self.payload + self.signature


class Mark(NamedTuple):
    """Up to where all events of an epoch are here, the chain hash there (None: unknown), and the last one heard of."""

    acked_seq: int
    acked_sha256: bytes | None
    last_seq: int


class Uploads(NamedTuple):
    """Up to which instant all gates of a lot have uploaded all, and those that see exits; None where there is none."""

    all_to: datetime | None
    exits_to: datetime | None


async def insert_gate(conn: Conn, gate: Gate, now: datetime) -> bool:
    """Whether the gate is new; False when its key is in use."""
    args = (gate.gate_id, gate.operator_id, gate.lot_id, gate.lane_id, gate.public_key, gate.state, now)
    if await conn.fetchval(_SQL.insert_gate, *args) is None:
        return False
    await conn.execute(_SQL.begin_watermark, gate.bucket, gate.gate_id, now)
    return True


async def gate_by_key(conn: Conn, public_key: bytes) -> Gate | None:
    found = await conn.fetchrow(_SQL.gate_by_key, public_key)
    return _gate(found) if found else None


async def gate(conn: Conn, gate_id: int) -> Gate | None:
    found = await conn.fetchrow(_SQL.gate_row, gate_id)
    return _gate(found) if found else None


async def watermarks(conn: Conn, epochs: Sequence[tuple[int, int, int]]) -> dict[tuple[int, int], Mark]:
    """How far epochs (bucket, gate, epoch) are here, by (gate, epoch); one that was not met before is not in it."""
    columns = [list(column) for column in zip(*epochs, strict=True)]
    return {(row["gate_id"], row["epoch"]): _mark(row) for row in await conn.fetch(_SQL.watermarks, *columns)}


async def raise_watermarks(
    conn: Conn, marks: Sequence[tuple[Gate, int, Mark]], *, now: datetime
) -> dict[tuple[int, int], Mark]:
    """Move the marks of gates' epochs on, never back; where they are then, by (gate, epoch)."""
    found = await conn.fetch(
        _SQL.raise_watermarks,
        now,
        [gate.bucket for gate, _, _ in marks],
        [gate.gate_id for gate, _, _ in marks],
        [epoch for _, epoch, _ in marks],
        [mark.acked_seq for _, _, mark in marks],
        [mark.acked_sha256 for _, _, mark in marks],
        [mark.last_seq for _, _, mark in marks],
    )
    return {(row["gate_id"], row["epoch"]): _mark(row) for row in found}


async def beat(
    conn: Conn, gate: Gate, *, epoch: int, complete_to: datetime, clock_offset_ms: int, bundle_version: int
) -> Mark:
    """Note where the gate is; answers how far its epoch is here."""
    found = await conn.fetchrow(
        _SQL.beat, gate.bucket, gate.gate_id, epoch, complete_to, clock_offset_ms, bundle_version
    )
    assert found is not None, "the epoch has its watermark since the same transaction"
    return _mark(found)


async def gates_behind(conn: Conn, operator_id: int, instant: datetime) -> list[int]:
    return [found["gate_id"] for found in await conn.fetch(_SQL.gates_behind, operator_id, instant)]


async def uploads_complete_to(conn: Conn, lot_ids: Sequence[int]) -> dict[int, Uploads]:
    found = await conn.fetch(_SQL.uploads_complete_to, list(lot_ids))
    return {lot["lot_id"]: Uploads(lot["all_to"], lot["exits_to"]) for lot in found}


async def newest_bundle(conn: Conn, operator_id: int) -> Bundle | None:
    found = await conn.fetchrow(_SQL.newest_bundle, operator_id)
    return Bundle(**dict(found.items())) if found else None


async def newest_versions(conn: Conn, operator_ids: Sequence[int]) -> dict[int, int]:
    """An operator without a bundle is not in it."""
    rows = await conn.fetch(_SQL.newest_versions, list(operator_ids))
    return {row["operator_id"]: row["version"] for row in rows}


async def insert_bundle(conn: Conn, operator_id: int, bundle: Bundle) -> bool:
    """Whether this was the first of its version."""
    inserted = await conn.fetchval(
        _SQL.insert_bundle,
        operator_id,
        bundle.version,
        bundle.content_sha256,
        bundle.payload,
        bundle.signature,
        bundle.issued_at,
        bundle.expires_at,
    )
    return inserted is not None


def _gate(found: Row) -> Gate:
    return Gate(**{**dict(found.items()), "state": GateState(found["state"])})


def _mark(found: Row) -> Mark:
    return Mark(found["acked_seq"], found["acked_sha256"], found["last_seq"])
