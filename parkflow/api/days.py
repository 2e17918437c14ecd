"""The operator's days and figures: closed days, lots in sum, and gates that a return need not wait for."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parkflow.api.context import Given, Now
from parkflow.api.operator_auth import Configurer, caller_with
from parkflow.card_return import service as returns
from parkflow.cutoff import service as cutoff
from parkflow.db.tx import tx
from parkflow.gate import service as gates
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import from_text, to_text
from parkflow.lot import service as lots
from parkflow.operator import service as operators
from parkflow.operator.rules import Permission
from parkflow.operator.service import Principal
from parkflow.views import operator as views
from parkflow.views.operator import LotSummary

DAYS_PER_PAGE_MAX: Final = 366
SPAN_MAX: Final = timedelta(days=366)

router = APIRouter(prefix="/v1/operator", tags=["operator"])
Settler = Annotated[Principal, Depends(caller_with(Permission.SEE_DAYS))]


class MalformedSpan(ParkflowError):
    """`from` is a date not after `to`, and they are at most a year apart."""

    code = "malformed_span"
    status = 422


class DayLineAnswer(BaseModel):
    """A business day in a list."""

    day: date
    state: str
    opened_at: datetime
    closed_at: datetime | None
    sha256: str | None


class DayAnswer(DayLineAnswer):
    """A business day; the totals of a closed one, whose canonical JSON has the hash."""

    totals: dict[str, Any] | None


class LotSummaryAnswer(BaseModel):
    """One lot; money in minor units of `currency`."""

    lot_id: str
    reference: str
    name: str
    currency: str
    stays: int
    stays_open: int
    stays_unpriced: int
    stays_free: int
    charges: int
    charged_minor: int
    paid: int
    paid_minor: int
    due_minor: int
    arrears: int
    arrears_minor: int
    waived_minor: int


class ReturnException(BaseModel):
    """Returns asked for up to `until` do not wait for the gate's uploads."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime
    reason: str = Field(min_length=1, max_length=200)


@router.get("/days")
async def list_days(
    services: Given,
    caller: Settler,
    before: date = date.max,
    limit: Annotated[int, Query(ge=1, le=DAYS_PER_PAGE_MAX)] = 31,
) -> list[DayLineAnswer]:
    """The operator's business days, newest first."""
    async with services.pool.acquire() as conn:
        found = await views.days(conn, caller.operator_id, before=before, limit=limit)
    return [
        DayLineAnswer(
            day=line.day,
            state=line.state,
            opened_at=line.opened_at,
            closed_at=line.closed_at,
            sha256=None if line.sha256 is None else line.sha256.hex(),
        )
        for line in found
    ]


@router.get("/days/{day}")
async def get_day(day: date, services: Given, caller: Settler) -> DayAnswer:
    """One business day."""
    async with services.pool.acquire() as conn:
        found = await cutoff.day_of(conn, operator_id=caller.operator_id, day=day)
    return DayAnswer(
        day=found.day,
        state=found.state,
        opened_at=found.opened_at,
        closed_at=found.closed_at,
        sha256=None if found.sha256 is None else found.sha256.hex(),
        totals=None if found.totals is None else dict(found.totals),
    )


@router.get("/lots/summary")
async def lot_summary(
    services: Given,
    caller: Settler,
    first: Annotated[date, Query(alias="from")],
    last: Annotated[date, Query(alias="to")],
) -> list[LotSummaryAnswer]:
    """What happened in each lot to the stays that began on the business days from `from` to `to` (both in it)."""
    if not first <= last <= first + SPAN_MAX:
        raise MalformedSpan
    async with services.pool.acquire() as conn:
        operator = await operators.get(conn, caller.operator_id)
        found = await views.lot_summaries(
            conn,
            operator.operator_id,
            first=first,
            last=last,
            time_zone=operator.time_zone,
            day_turn=operator.day_turn,
        )
    return [_summary_answer(summary, operator.currency) for summary in found]


@router.post("/gates/{gate}/return-exceptions", status_code=status.HTTP_201_CREATED)
async def except_gate(
    gate: str, body: ReturnException, services: Given, now: Now, caller: Configurer
) -> ReturnException:
    """Let card returns no longer wait for a gate that will not report again."""
    gate_id = from_text(gates.ID_PREFIX, gate)
    async with tx(services.pool) as conn:
        await returns.except_gate(
            conn,
            operator_id=caller.operator_id,
            gate_id=gate_id,
            until_at=body.until,
            token_name=caller.token_name,
            now=now,
        )
        subject = f"{gate} until {body.until.isoformat()}: {body.reason}"
        await operators.record(conn, caller, action="return_exception", subject=subject, now=now)
    return body


def _summary_answer(found: LotSummary, currency: str) -> LotSummaryAnswer:
    return LotSummaryAnswer(
        lot_id=to_text(lots.ID_PREFIX, found.lot_id),
        reference=found.reference,
        name=found.name,
        currency=currency,
        stays=found.stays,
        stays_open=found.stays_open,
        stays_unpriced=found.stays_unpriced,
        stays_free=found.stays_free,
        charges=found.charges,
        charged_minor=found.charged_minor,
        paid=found.paid,
        paid_minor=found.paid_minor,
        due_minor=found.due_minor,
        arrears=found.arrears,
        arrears_minor=found.arrears_minor,
        waived_minor=found.waived_minor,
    )
