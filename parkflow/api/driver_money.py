"""The driver's calls that move money: paying the deposit of a card."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter

from parkflow.api.auth import Driver
from parkflow.api.context import Given, Now
from parkflow.card import service as cards
from parkflow.card.service import Card
from parkflow.card.state import CardState
from parkflow.charge import pay
from parkflow.charge import service as charges
from parkflow.charge.pay import PayState
from parkflow.charge.service import NewCharge
from parkflow.db.tx import tx
from parkflow.kit.ids import from_text
from parkflow.ledger import service as ledger
from parkflow.operator import service as operators
from parkflow.operator.service import Operator

router = APIRouter(prefix="/v1/driver", tags=["driver money"])


@router.post("/cards/{card}/deposit")
async def pay_deposit(card: str, services: Given, now: Now, account_id: Driver) -> dict[str, Any]:
    """Pay the card's deposit; again pays nothing twice, and asks about a payment whose outcome is not known yet."""
    card_id = from_text(cards.ID_PREFIX, card)
    async with tx(services.pool) as conn:
        found = await cards.get(conn, account_id=account_id, card_id=card_id)
        if found.state is CardState.ISSUED:
            operator = await operators.get(conn, found.operator_id)
            await ledger.ensure_open_day(conn, operator.operator_id, now)
            await charges.raise_charges(conn, [_deposit(found, operator, now=now)], now=now)
    # A card leaves `issued` only by its deposit.
    state = PayState.PAID
    if found.state is CardState.ISSUED:
        [result] = await pay.pay_now(services, bucket=found.bucket, charge_ids=[card_id], purpose="deposit", now=now)
        state = result.state
    async with services.pool.acquire() as conn:
        after = await cards.get(conn, account_id=account_id, card_id=card_id)
    return {"state": state, "card_state": after.state}


def _deposit(card: Card, operator: Operator, *, now: datetime) -> NewCharge:
    # The deposit's charge has the card's id, so a card can have only one.
    return NewCharge(
        bucket=card.bucket,
        charge_id=card.card_id,
        kind="deposit",
        card_id=card.card_id,
        operator_id=operator.operator_id,
        lot_id=None,
        gross_minor=card.deposit_minor,
        discount_minor=0,
        currency=operator.currency,
        occurred_at=now,
    )
