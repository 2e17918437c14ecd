"""The operator's calls about stays that need a person: what waits, what was repaired and why, and deciding it."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, status
from pydantic import AwareDatetime, BaseModel, ConfigDict

from parkflow.api.context import Given, Now
from parkflow.api.driver import CHARGE_PREFIX, PAGE_ROWS_MAX, STAY_PREFIX
from parkflow.api.operator_auth import caller_with
from parkflow.card import service as card_service
from parkflow.db.tx import tx
from parkflow.gate import service as gate_service
from parkflow.gate.unpaired import ScanKey
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of, from_text, to_text
from parkflow.lot import service as lot_service
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Permission
from parkflow.operator.service import Principal
from parkflow.parking import decide
from parkflow.parking.decide import DecisionMade, Wish
from parkflow.parking.rules import Verdict
from parkflow.views import repairs as views

router = APIRouter(prefix="/v1/operator", tags=["operator stays"])

Decider = Annotated[Principal, Depends(caller_with(Permission.DECIDE_STAYS))]
Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX)]


class StayDecision(BaseModel):
    """`at` is given for `exit_at` and for nothing else."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["exit_at", "abandon", "waive"]
    at: AwareDatetime | None = None


class ScanDecision(BaseModel):
    """`at` is given for `entry_at` and for nothing else."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["entry_at", "reject"]
    at: AwareDatetime | None = None


class DecisionAnswer(BaseModel):
    """A decision on record; the worker carries it out at once, `applied_at` says when it has."""

    number: int
    verdict: Verdict
    at: datetime | None
    decided_by: str
    decided_at: datetime
    applied_at: datetime | None


class ScanPlace:
    """Which scan a path names: the card in whose rows it is, and its event."""

    def __init__(self, card: str, gate: str, epoch: int, seq: int) -> None:
        self.card_id = from_text(card_service.ID_PREFIX, card)
        gate_id = from_text(gate_service.ID_PREFIX, gate)
        # Whatever is no 63-bit number names no event.
        if not (0 <= epoch < 1 << 63 and 0 <= seq < 1 << 63):
            raise NotFound("the operator has no such scan")
        self.key = ScanKey(bucket_of(self.card_id), gate_id, epoch, seq)
        self.text = f"{card} {gate}/{epoch}/{seq}"


@router.get("/waiting")
async def list_waiting(services: Given, now: Now, caller: Decider, limit: Limit = 50) -> dict[str, Any]:
    """Stays and scans that wait for a person, and scans that wait for others; leaves an audit row."""
    async with tx(services.pool) as conn:
        stays = await views.waiting_stays(conn, caller.operator_id, limit=limit)
        scans = await views.waiting_scans(conn, caller.operator_id, limit=limit)
        await operator_service.record(conn, caller, action="waiting_seen", subject="", now=now)
    return {
        "stays": [_with_texts(asdict(stay)) for stay in stays],
        "scans": [_with_texts(asdict(scan)) for scan in scans],
    }


@router.get("/stays/{stay}/repairs")
async def list_repairs(stay: str, services: Given, now: Now, caller: Decider) -> dict[str, Any]:
    """A stay with all its corrections, what moved for them, and what persons decided; the look leaves an audit row."""
    stay_id = from_text(STAY_PREFIX, stay)
    async with tx(services.pool) as conn:
        found = await views.stay_now(conn, caller.operator_id, stay_id)
        if found is None:
            raise NotFound("the operator has no such stay")
        repairs = await views.repairs_of(conn, caller.operator_id, stay_id)
        decisions = await views.decisions_of(conn, caller.operator_id, stay_id)
        await operator_service.record(conn, caller, action="repairs_seen", subject=stay, now=now)
    return {
        **_with_texts(asdict(found)),
        "repairs": [_with_texts(asdict(repair)) for repair in repairs],
        "decisions": [asdict(decision) for decision in decisions],
    }


@router.post("/stays/{stay}/decision", status_code=status.HTTP_202_ACCEPTED)
async def decide_stay(stay: str, body: StayDecision, services: Given, now: Now, caller: Decider) -> DecisionAnswer:
    """Give a stay the exit that no gate saw, give it up, or waive its fee; the same again changes nothing."""
    async with tx(services.pool) as conn:
        made = await decide.decide_stay(conn, from_text(STAY_PREFIX, stay), _wish(body, caller), now=now)
        await operator_service.record(conn, caller, action=f"stay_{body.verdict}", subject=stay, now=now)
    return _answer(made)


@router.post("/cards/{card}/scans/{gate}/{epoch}/{seq}/decision", status_code=status.HTTP_202_ACCEPTED)
async def decide_scan(
    where: Annotated[ScanPlace, Depends()], body: ScanDecision, services: Given, now: Now, caller: Decider
) -> DecisionAnswer:
    """Give an exit the entry that no gate saw, or let a scan count for nothing; the same again changes nothing."""
    async with tx(services.pool) as conn:
        made = await decide.decide_scan(conn, where.card_id, where.key, _wish(body, caller), now=now)
        await operator_service.record(conn, caller, action=f"scan_{body.verdict}", subject=where.text, now=now)
    return _answer(made)


def _wish(body: StayDecision | ScanDecision, caller: Principal) -> Wish:
    return Wish(Verdict(body.verdict), body.at, caller.operator_id, caller.token_name)


def _answer(made: DecisionMade) -> DecisionAnswer:
    return DecisionAnswer(
        number=made.number,
        verdict=made.verdict,
        at=made.at,
        decided_by=made.token_name,
        decided_at=made.decided_at,
        applied_at=made.applied_at,
    )


_PREFIXES = {
    "stay_id": STAY_PREFIX,
    "card_id": card_service.ID_PREFIX,
    "lot_id": lot_service.ID_PREFIX,
    "gate_id": gate_service.ID_PREFIX,
    "charge_id": CHARGE_PREFIX,
}


def _with_texts(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its ids as people read them."""
    return {
        name: to_text(_PREFIXES[name], value) if name in _PREFIXES and value is not None else value
        for name, value in row.items()
    }
