"""The operator's calls about cards: freeze one that is lost or risky, thaw it again. Every call leaves an audit row."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from parkflow.api.context import Given, Now
from parkflow.api.operator_auth import CardKeeper
from parkflow.card import service as card_service
from parkflow.card.service import CardState, FreezeReason
from parkflow.db.conn import Conn
from parkflow.db.tx import tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of, from_text
from parkflow.operator import service as operator_service
from parkflow.operator.service import Principal

router = APIRouter(prefix="/v1/operator/cards/{card}", tags=["operator"])


class Reason(BaseModel):
    """Why; arrears freeze and thaw a card by themselves."""

    model_config = ConfigDict(extra="forbid")

    reason: Literal["lost", "operator", "risk"]


class CardAnswer(BaseModel):
    card_id: str
    state: CardState
    reasons: list[FreezeReason]


@router.post("/freeze")
async def freeze_card(card: str, body: Reason, services: Given, now: Now, caller: CardKeeper) -> CardAnswer:
    """No credential is issued for the card, and gates refuse its entries; asking again changes nothing."""
    async with tx(services.pool) as conn:
        card_id, reason = await _own(conn, caller, card), FreezeReason(body.reason)
        await card_service.freeze(
            conn, bucket=bucket_of(card_id), card_ids=[card_id], reason=reason, now=now, actor=caller.token_name
        )
        await operator_service.record(conn, caller, action=f"card_frozen_{reason}", subject=card, now=now)
        return await _answer(conn, card, card_id)


@router.post("/thaw")
async def thaw_card(card: str, body: Reason, services: Given, now: Now, caller: CardKeeper) -> CardAnswer:
    """Lift this reason; the card is active again when it was the last one."""
    async with tx(services.pool) as conn:
        card_id, reason = await _own(conn, caller, card), FreezeReason(body.reason)
        await card_service.thaw(
            conn, bucket=bucket_of(card_id), card_ids=[card_id], reason=reason, now=now, actor=caller.token_name
        )
        await operator_service.record(conn, caller, action=f"card_thawed_{reason}", subject=card, now=now)
        return await _answer(conn, card, card_id)


async def _own(conn: Conn, caller: Principal, card: str) -> int:
    card_id = from_text(card_service.ID_PREFIX, card)
    found = (await card_service.many(conn, [card_id])).get(card_id)
    if found is None or found.operator_id != caller.operator_id:
        raise NotFound("the operator has no such card")
    return card_id


async def _answer(conn: Conn, card: str, card_id: int) -> CardAnswer:
    state = (await card_service.many(conn, [card_id]))[card_id].state
    reasons = await card_service.reasons(conn, [card_id])
    return CardAnswer(card_id=card, state=state, reasons=reasons.get(card_id, []))
