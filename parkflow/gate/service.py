"""Gates as devices: registered with their key, quarantined, released, retired; how far they have uploaded."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from parkflow import core
from parkflow.db.conn import Conn
from parkflow.db.transition import Change, Subject, transition
from parkflow.gate import store
from parkflow.gate.state import GATE, GateEvent
from parkflow.gate.store import Gate, Mark, Uploads
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import new_bucket, new_id
from parkflow.lot import service as lot_service

__all__ = ["Gate", "Heartbeat", "Uploads"]

ID_PREFIX: Final = "gate"
_log = logging.getLogger("parkflow.gate")


class GateKeyRefused(ParkflowError):
    """A gate's key is an Ed25519 public key of 32 bytes: canonical, of prime order, not the identity."""

    code = "gate_key_refused"
    status = 422


class GateKeyInUse(ParkflowError):
    """Another gate has this key; every gate needs its own."""

    code = "gate_key_in_use"
    status = 409


class Heartbeat(NamedTuple):
    """What a gate says of itself: its journal's epoch and last seq, its clock, the bundle that it uses."""

    epoch: int
    last_seq: int
    gate_at: datetime
    clock_offset_ms: int
    bundle_version: int


async def register(conn: Conn, *, operator_id: int, lane_id: int, public_key: bytes, now: datetime) -> Gate:
    """A gate at the operator's lane; the same key at the same lane again is the same gate.

    Raises NotFound, GateKeyRefused, GateKeyInUse.
    """
    lane = await lot_service.get_lane(conn, operator_id=operator_id, lane_id=lane_id)
    if not core.check_public_key(public_key):
        raise GateKeyRefused
    gate = Gate(new_id(new_bucket()), operator_id, lane.lot_id, lane_id, public_key, GATE.initial)
    if await store.insert_gate(conn, gate, now):
        return gate
    found = await store.gate_by_key(conn, public_key)
    if found is None or found.lane_id != lane_id:
        raise GateKeyInUse
    return found


async def get(conn: Conn, gate_id: int) -> Gate:
    """The gate, whoever's it is; for callers that have checked a signature. Raises NotFound."""
    found = await store.gate(conn, gate_id)
    if found is None:
        raise NotFound("there is no such gate")
    return found


async def get_of(conn: Conn, *, operator_id: int, gate_id: int) -> Gate:
    """The operator's gate. Raises NotFound, also for another operator's."""
    found = await store.gate(conn, gate_id)
    if found is None or found.operator_id != operator_id:
        raise NotFound("the operator has no such gate")
    return found


async def change_state(conn: Conn, gate: Gate, event: GateEvent, *, reason: str, actor: str, now: datetime) -> None:
    """Quarantine, release or retire the gate, with an audit row. Raises IllegalTransition."""
    subject = Subject("gate", {"gate_id": gate.gate_id}, gate.bucket, gate.gate_id)
    await transition(conn, GATE, subject, event, Change(at=now, reason=reason, actor=actor))


async def beat(conn: Conn, gate: Gate, heartbeat: Heartbeat, *, now: datetime) -> Mark:
    """Note the heartbeat; answers how far the epoch is here.

    When nothing is missing, the gate is complete up to its own time, or up to `now` where its clock is ahead.
    """
    said = Mark(acked_seq=0, acked_sha256=None, last_seq=heartbeat.last_seq)
    known = (await store.raise_watermarks(conn, [(gate, heartbeat.epoch, said)], now=now))[
        gate.gate_id, heartbeat.epoch
    ]
    if heartbeat.last_seq < known.last_seq:
        # A journal was put back from an older copy, or this heartbeat was overtaken. What is missing stays missed: the
        # epoch is complete only when all that was once heard of is here.
        _log.warning("gate %d: its journal ends at %d, we know of %d", gate.gate_id, heartbeat.last_seq, known.last_seq)
    return await store.beat(
        conn,
        gate,
        epoch=heartbeat.epoch,
        complete_to=min(heartbeat.gate_at, now),
        clock_offset_ms=heartbeat.clock_offset_ms,
        bundle_version=heartbeat.bundle_version,
    )


async def watermarks_before(conn: Conn, operator_id: int, instant: datetime) -> Sequence[int]:
    """The operator's gates in use that may still hold scans of before `instant`."""
    return await store.gates_behind(conn, operator_id, instant)


async def uploads_complete_to(conn: Conn, lot_ids: Sequence[int]) -> Mapping[int, Uploads]:
    """How far the gates in use of each lot have uploaded; a lot without gates is not in it."""
    return await store.uploads_complete_to(conn, lot_ids)
