"""The driver's repayment of arrears."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from parkflow.api.auth import Driver
from parkflow.api.context import Given, Now
from parkflow.arrears import service as arrears
from parkflow.card import service as cards
from parkflow.kit.ids import from_text

router = APIRouter(prefix="/v1/driver/arrears", tags=["driver"])


class Repay(BaseModel):
    """What to repay."""

    model_config = ConfigDict(extra="forbid")

    card_id: str | None = Field(None, description="one card's arrears; left out, those of all cards")


class RepaymentAnswer(BaseModel):
    """What was taken; amounts in minor units of `currency`, which is null when nothing was owed."""

    paid_minor: int
    left_minor: int
    currency: str | None
    state: str = Field(description="paid, declined or unknown (the channel has not answered; it settles by itself)")


@router.post("/repayments")
async def repay(services: Given, now: Now, account_id: Driver, body: Repay | None = None) -> RepaymentAnswer:
    """Take all that is owed now; a card without arrears gives codes again at once."""
    card_id = None if body is None or body.card_id is None else from_text(cards.ID_PREFIX, body.card_id)
    done = await arrears.repay(services, account_id=account_id, card_id=card_id, now=now)
    return RepaymentAnswer(
        paid_minor=done.paid_minor, left_minor=done.left_minor, currency=done.currency, state=done.state
    )
