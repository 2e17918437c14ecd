"""The quote of an open stay, for its driver and for its operator's staff: what it costs if the car leaves then."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel

from parkflow.api.auth import Driver
from parkflow.api.context import Given, Now
from parkflow.api.driver import STAY_PREFIX
from parkflow.api.operator_auth import caller_with
from parkflow.db.tx import tx
from parkflow.kit.ids import from_text, to_text
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Permission
from parkflow.operator.service import Principal
from parkflow.parking import quote
from parkflow.parking.quote import Question, Quote

router = APIRouter(tags=["quotes"])

# Whoever may see what a stay has cost may see what it would cost.
Viewer = Annotated[Principal, Depends(caller_with(Permission.SEE_RECEIPTS))]
ExitAt = Annotated[AwareDatetime | None, Query(description="when the car would leave, with an offset; default: now")]


class QuoteAnswer(BaseModel):
    """An answer and no promise; money in minor units of `currency`, which has `minor_exponent` decimals."""

    quote_id: str
    stay: str
    at: datetime
    fee_minor: int
    currency: str
    minor_exponent: int
    lines: list[dict[str, Any]]
    tariff_id: str
    tariff_sha256: str
    tzdata_version: str
    free_until: datetime | None
    rises_at: datetime | None
    rises_to_minor: int | None


@router.get("/v1/driver/stays/{stay}/quote")
async def get_own_quote(
    stay: str, services: Given, now: Now, account_id: Driver, exit_at: ExitAt = None
) -> QuoteAnswer:
    """What one of the driver's open stays costs if the car leaves then. The same question has the same `quote_id`."""
    asked = Question(from_text(STAY_PREFIX, stay), account_id, None, exit_at)
    return _answer(await quote.quote(services.pool, asked, now=now))


@router.get("/v1/operator/stays/{stay}/quote")
async def get_quote(stay: str, services: Given, now: Now, caller: Viewer, exit_at: ExitAt = None) -> QuoteAnswer:
    """What an open stay in one of the operator's lots costs if the car leaves then; the look leaves an audit row."""
    asked = Question(from_text(STAY_PREFIX, stay), None, caller.operator_id, exit_at)
    found = await quote.quote(services.pool, asked, now=now)
    async with tx(services.pool) as conn:
        await operator_service.record(conn, caller, action="quote_seen", subject=stay, now=now)
    return _answer(found)


def _answer(found: Quote) -> QuoteAnswer:
    record = found.record
    return QuoteAnswer(
        quote_id=to_text(quote.ID_PREFIX, found.quote_id),
        stay=to_text(STAY_PREFIX, found.stay_id),
        at=found.at,
        fee_minor=record["fee_minor"],
        currency=record["currency"],
        minor_exponent=found.tariff.minor_exponent,
        lines=record["lines"],
        tariff_id=record["tariff_id"],
        tariff_sha256=record["tariff_sha256"],
        tzdata_version=record["tzdata_version"],
        free_until=found.free_until,
        rises_at=found.rises_at,
        rises_to_minor=found.rises_to_minor,
    )
