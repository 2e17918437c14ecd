"""The driver's card return: ask for it, look at it, withdraw it."""

from datetime import datetime, timedelta

from fastapi import APIRouter, status
from pydantic import BaseModel, Field

from parkflow.api.auth import Driver
from parkflow.api.context import Given, Now
from parkflow.card import service as cards
from parkflow.card_return import service as returns
from parkflow.card_return.service import CardReturn
from parkflow.db.tx import in_tx
from parkflow.kit.ids import from_text, to_text

router = APIRouter(prefix="/v1/driver/cards/{card}/return", tags=["driver"])


class ReturnAnswer(BaseModel):
    """A card return as it stands."""

    return_id: str
    card_id: str
    state: str = Field(description="requested, waiting, blocked, releasing, completed or withdrawn")
    blocked_reason: str | None = Field(description="while blocked: what stands against the refund")
    requested_at: datetime
    release_after: datetime = Field(description="no refund before this instant")
    ended_at: datetime | None


@router.post("", status_code=status.HTTP_201_CREATED)
async def request_return(card: str, services: Given, now: Now, account_id: Driver) -> ReturnAnswer:
    """Hand the card in: no codes from now on, the deposit back after the wait. Asking again gives the same return."""
    card_id = from_text(cards.ID_PREFIX, card)
    wait = timedelta(hours=services.settings.return_wait_hours)
    return _answer(
        await in_tx(
            services.pool,
            lambda conn: returns.request(conn, account_id=account_id, card_id=card_id, now=now, wait=wait),
        )
    )


@router.get("")
async def get_return(card: str, services: Given, account_id: Driver) -> ReturnAnswer:
    """The open return, else the last one."""
    card_id = from_text(cards.ID_PREFIX, card)
    async with services.pool.acquire() as conn:
        return _answer(await returns.of_card(conn, account_id=account_id, card_id=card_id))


@router.delete("")
async def withdraw_return(card: str, services: Given, now: Now, account_id: Driver) -> ReturnAnswer:
    """Keep the card; possible until the refund begins."""
    card_id = from_text(cards.ID_PREFIX, card)
    return _answer(
        await in_tx(services.pool, lambda conn: returns.withdraw(conn, account_id=account_id, card_id=card_id, now=now))
    )


def _answer(found: CardReturn) -> ReturnAnswer:
    return ReturnAnswer(
        return_id=to_text(returns.ID_PREFIX, found.return_id),
        card_id=to_text(cards.ID_PREFIX, found.card_id),
        state=found.state,
        blocked_reason=found.blocked_reason,
        requested_at=found.requested_at,
        release_after=found.release_after,
        ended_at=found.ended_at,
    )
