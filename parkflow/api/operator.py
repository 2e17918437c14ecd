"""The operator's calls: lots, lanes, gates, tariffs and tokens. Every change leaves an audit row."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parkflow.api.context import Given, Now
from parkflow.api.operator_auth import Configurer, TokenKeeper
from parkflow.db.tx import tx
from parkflow.gate import bundle as gate_bundle
from parkflow.gate import service as gate_service
from parkflow.gate.state import GateEvent
from parkflow.kit.encoding import bytes_from_base64url, bytes_from_hex
from parkflow.kit.ids import from_text, to_text
from parkflow.lot import service as lot_service
from parkflow.lot.rules import Direction
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from parkflow.tariff import service as tariff_service

router = APIRouter(prefix="/v1/operator", tags=["operator"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewToken(_Body):
    name: str
    role: Role


class NewLot(_Body):
    reference: str
    name: str
    time_zone: str | None = Field(None, description="IANA name; left out, the operator's")
    policy: dict[str, Any] = Field(default_factory=dict)


class NewLane(_Body):
    reference: str
    direction: Direction


class NewGate(_Body):
    lane_id: str
    public_key: str = Field(description="Ed25519, base64url without padding")


class GateChange(_Body):
    event: GateEvent
    reason: str = Field(min_length=1, max_length=200)


class NewTariff(_Body):
    source: Annotated[str, Field(max_length=256 * 1024, description="PTL/1 as YAML text")]


class LotTariff(_Body):
    sha256: str
    valid_from: AwareDatetime


class TokenAnswer(BaseModel):
    token: str = Field(description="shown only now")


class LotAnswer(BaseModel):
    lot_id: str
    reference: str
    name: str
    time_zone: str
    policy: dict[str, Any]


class LaneAnswer(BaseModel):
    lane_id: str


class GateAnswer(BaseModel):
    gate_id: str
    lot_id: str
    lane_id: str
    state: str


class TariffAnswer(BaseModel):
    tariff_id: str
    version: int
    sha256: str
    currency: str
    time_zone: str


class LotTariffAnswer(BaseModel):
    sha256: str
    valid_from: datetime


@router.post("/tokens", status_code=status.HTTP_201_CREATED)
async def create_token(body: NewToken, services: Given, now: Now, caller: TokenKeeper) -> TokenAnswer:
    async with tx(services.pool) as conn:
        principal = Principal(caller.operator_id, body.role, body.name)
        token = await operator_service.issue_token(conn, principal, now=now)
        await operator_service.record(conn, caller, action="token_issued", subject=body.name, now=now)
    return TokenAnswer(token=token)


@router.delete("/tokens/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_token(name: str, services: Given, now: Now, caller: TokenKeeper) -> None:
    async with tx(services.pool) as conn:
        await operator_service.revoke_token(conn, operator_id=caller.operator_id, name=name, now=now)
        await operator_service.record(conn, caller, action="token_revoked", subject=name, now=now)


@router.post("/lots", status_code=status.HTTP_201_CREATED)
async def create_lot(body: NewLot, services: Given, now: Now, caller: Configurer) -> LotAnswer:
    async with tx(services.pool) as conn:
        operator = await operator_service.get(conn, caller.operator_id)
        lot = await lot_service.create_lot(
            conn,
            operator_id=caller.operator_id,
            new=lot_service.NewLot(body.reference, body.name, body.time_zone or operator.time_zone, body.policy),
            now=now,
        )
        await operator_service.record(conn, caller, action="lot_created", subject=_lot_text(lot.lot_id), now=now)
    return _lot_answer(lot)


@router.get("/lots")
async def list_lots(services: Given, caller: Configurer) -> list[LotAnswer]:
    async with services.pool.acquire() as conn:
        lots = await lot_service.of_operator(conn, caller.operator_id)
    return [_lot_answer(lot) for lot in lots]


@router.post("/lots/{lot}/lanes", status_code=status.HTTP_201_CREATED)
async def create_lane(lot: str, body: NewLane, services: Given, now: Now, caller: Configurer) -> LaneAnswer:
    async with tx(services.pool) as conn:
        lane = await lot_service.create_lane(
            conn,
            operator_id=caller.operator_id,
            lot_id=from_text(lot_service.ID_PREFIX, lot),
            reference=body.reference,
            direction=body.direction,
            now=now,
        )
        lane_text = to_text(lot_service.LANE_ID_PREFIX, lane.lane_id)
        await operator_service.record(conn, caller, action="lane_created", subject=lane_text, now=now)
    return LaneAnswer(lane_id=lane_text)


@router.post("/gates", status_code=status.HTTP_201_CREATED)
async def register_gate(body: NewGate, services: Given, now: Now, caller: Configurer) -> GateAnswer:
    async with tx(services.pool) as conn:
        gate = await gate_service.register(
            conn,
            operator_id=caller.operator_id,
            lane_id=from_text(lot_service.LANE_ID_PREFIX, body.lane_id),
            public_key=bytes_from_base64url("public_key", body.public_key),
            now=now,
        )
        await operator_service.record(conn, caller, action="gate_registered", subject=_gate_text(gate.gate_id), now=now)
        # A gate takes no bundle that does not know its lane, which may be as new as the gate.
        await gate_bundle.refresh(conn, services.vault, operator_id=caller.operator_id, now=now)
    return _gate_answer(gate)


@router.post("/gates/{gate}/events")
async def change_gate(gate: str, body: GateChange, services: Given, now: Now, caller: Configurer) -> GateAnswer:
    """Quarantine, release or retire a gate."""
    async with tx(services.pool) as conn:
        gate_id = from_text(gate_service.ID_PREFIX, gate)
        found = await gate_service.get_of(conn, operator_id=caller.operator_id, gate_id=gate_id)
        await gate_service.change_state(conn, found, body.event, reason=body.reason, actor=caller.token_name, now=now)
        await operator_service.record(conn, caller, action=f"gate_{body.event}", subject=gate, now=now)
        changed = await gate_service.get(conn, gate_id)
    return _gate_answer(changed)


@router.post("/tariffs", status_code=status.HTTP_201_CREATED)
async def publish_tariff(body: NewTariff, services: Given, now: Now, caller: Configurer) -> TariffAnswer:
    async with tx(services.pool) as conn:
        version = await tariff_service.publish(conn, operator_id=caller.operator_id, source=body.source, now=now)
        subject = f"{version.tariff_id}/{version.version}"
        await operator_service.record(conn, caller, action="tariff_published", subject=subject, now=now)
    return TariffAnswer(
        tariff_id=version.tariff_id,
        version=version.version,
        sha256=version.sha256.hex(),
        currency=version.currency,
        time_zone=version.time_zone,
    )


@router.put("/lots/{lot}/tariff")
async def assign_tariff(lot: str, body: LotTariff, services: Given, now: Now, caller: Configurer) -> LotTariffAnswer:
    async with tx(services.pool) as conn:
        await tariff_service.assign(
            conn,
            operator_id=caller.operator_id,
            lot_id=from_text(lot_service.ID_PREFIX, lot),
            sha256=bytes_from_hex("sha256", body.sha256, length=32),
            valid_from=body.valid_from,
            now=now,
        )
        await operator_service.record(conn, caller, action="tariff_assigned", subject=f"{lot} {body.sha256}", now=now)
    return LotTariffAnswer(sha256=body.sha256, valid_from=body.valid_from)


def _lot_answer(lot: lot_service.Lot) -> LotAnswer:
    return LotAnswer(
        lot_id=_lot_text(lot.lot_id),
        reference=lot.reference,
        name=lot.name,
        time_zone=lot.time_zone,
        policy=lot.policy.to_json(),
    )


def _gate_answer(gate: gate_service.Gate) -> GateAnswer:
    return GateAnswer(
        gate_id=_gate_text(gate.gate_id),
        lot_id=_lot_text(gate.lot_id),
        lane_id=to_text(lot_service.LANE_ID_PREFIX, gate.lane_id),
        state=gate.state,
    )


def _lot_text(lot_id: int) -> str:
    return to_text(lot_service.ID_PREFIX, lot_id)


def _gate_text(gate_id: int) -> str:
    return to_text(gate_service.ID_PREFIX, gate_id)
