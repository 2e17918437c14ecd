"""The driver's calls: log-in, plates, agreements, cards, and what became of stays and charges."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field

from parkflow.account import service as accounts
from parkflow.account.service import OneTimeCodeRefused
from parkflow.agreement import service as agreements
from parkflow.agreement.service import Agreement
from parkflow.api.auth import Driver, SessionToken
from parkflow.api.context import Given, Now
from parkflow.api.paging import mark_of, place_of
from parkflow.card import service as cards
from parkflow.card.service import Card
from parkflow.card.state import FreezeReason
from parkflow.db.tx import tx
from parkflow.gate import sightings
from parkflow.kit.ids import from_text, to_text
from parkflow.lot import service as lots
from parkflow.operator import service as operators
from parkflow.parking import missing
from parkflow.views import driver as views
from parkflow.views.driver import Place

PAGE_ROWS_MAX: Final = 200
STAY_PREFIX: Final = "stay"
CHARGE_PREFIX: Final = "chg"
_VEHICLE_CLASS: Final = r"^[a-z][a-z0-9_]{0,31}$"

router = APIRouter(prefix="/v1/driver", tags=["driver"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CodeWanted(_Body):
    phone: str = Field(max_length=40, description="with country code, such as +8613800138000")


class LogIn(_Body):
    phone: str = Field(max_length=40)
    one_time_code: str = Field(max_length=10)


class NewVehicle(_Body):
    plate: str = Field(max_length=40)
    vehicle_class: str = Field("car", pattern=_VEHICLE_CLASS)


class NewAgreement(_Body):
    channel: str = Field(max_length=40)


class NewCard(_Body):
    operator_id: str
    agreement_id: str
    vehicle_class: str = Field("car", pattern=_VEHICLE_CLASS)


Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX)]
Before = Annotated[str | None, Query(description="the `next` of the page before", max_length=80)]


@router.post("/one-time-codes", status_code=status.HTTP_202_ACCEPTED)
async def send_one_time_code(body: CodeWanted, services: Given, now: Now) -> dict[str, Any]:
    """Send a log-in code to a phone; the answer is the same whether the phone is known or not."""
    await accounts.take_code_limits(services.limits, services.vault, services.settings, phone=body.phone, now=now)
    async with tx(services.pool) as conn:
        expires_at = await accounts.send_code(conn, services.vault, services.settings, phone=body.phone, now=now)
    return {"expires_at": expires_at}


@router.post("/sessions", status_code=status.HTTP_201_CREATED)
async def log_in(body: LogIn, services: Given, now: Now) -> dict[str, Any]:
    """Log in with the code; the first log-in of a phone makes its account."""
    async with tx(services.pool) as conn:
        session = await accounts.log_in(
            conn,
            services.vault,
            services.settings,
            phone=body.phone,
            one_time_code=body.one_time_code,
            now=now,
        )
    # Refused only after the commit: the try counts.
    if session is None:
        raise OneTimeCodeRefused
    return {
        "token": session.token,
        "account_id": to_text(accounts.ID_PREFIX, session.account_id),
        "expires_at": session.expires_at,
    }


@router.delete("/sessions/current", status_code=status.HTTP_204_NO_CONTENT)
async def log_out(services: Given, now: Now, token: SessionToken) -> Response:
    """End this session."""
    async with tx(services.pool) as conn:
        await accounts.log_out(conn, token, now=now)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/vehicles", status_code=status.HTTP_201_CREATED)
async def add_vehicle(body: NewVehicle, services: Given, now: Now, account_id: Driver) -> dict[str, Any]:
    """Enter a plate; again changes its class."""
    async with tx(services.pool) as conn:
        vehicle = await accounts.add_vehicle(
            conn,
            services.vault,
            account_id=account_id,
            plate=body.plate,
            vehicle_class=body.vehicle_class,
            now=now,
        )
        await sightings.plate_entered(conn, services.vault, plate=vehicle.plate, now=now)
    return vehicle._asdict()


@router.get("/vehicles")
async def list_vehicles(services: Given, account_id: Driver) -> dict[str, Any]:
    """The driver's plates."""
    async with services.pool.acquire() as conn:
        found = await accounts.vehicles(conn, services.vault, account_id=account_id)
    return {"vehicles": [vehicle._asdict() for vehicle in found]}


@router.post("/agreements", status_code=status.HTTP_201_CREATED)
async def open_agreement(body: NewAgreement, services: Given, now: Now, account_id: Driver) -> dict[str, Any]:
    """Begin an agreement at a channel; the driver confirms it at `sign_url`."""
    agreement = await agreements.open_agreement(services, account_id=account_id, channel=body.channel, now=now)
    return _agreement_json(agreement)


@router.get("/agreements")
async def list_agreements(services: Given, account_id: Driver) -> dict[str, Any]:
    """The driver's agreements as we know them."""
    async with services.pool.acquire() as conn:
        found = await agreements.of_account(conn, account_id)
    return {"agreements": [_agreement_json(agreement) for agreement in found]}


@router.get("/agreements/{agreement}")
async def get_agreement(agreement: str, services: Given, now: Now, account_id: Driver) -> dict[str, Any]:
    """An agreement; while it is pending the channel is asked first."""
    agreement_id = from_text(agreements.ID_PREFIX, agreement)
    found = await agreements.refresh(services, account_id=account_id, agreement_id=agreement_id, now=now)
    return _agreement_json(found)


@router.post("/cards", status_code=status.HTTP_201_CREATED)
async def issue_card(body: NewCard, services: Given, now: Now, account_id: Driver) -> dict[str, Any]:
    """A card at an operator; asking again gives the same card."""
    async with tx(services.pool) as conn:
        operator = await operators.get(conn, from_text(operators.ID_PREFIX, body.operator_id))
        card = await cards.issue(
            conn,
            account_id=account_id,
            operator=operator,
            agreement_id=from_text(agreements.ID_PREFIX, body.agreement_id),
            vehicle_class=body.vehicle_class,
            now=now,
        )
    return card_json(card, currency=operator.currency, reasons=[])


@router.get("/cards")
async def list_cards(services: Given, account_id: Driver) -> dict[str, Any]:
    """The driver's cards, with why each frozen one is frozen."""
    async with services.pool.acquire() as conn:
        found = await cards.of_account(conn, account_id)
        reasons = await cards.reasons(conn, [card.card_id for card in found])
        operators_of = {ident: await operators.get(conn, ident) for ident in {card.operator_id for card in found}}
    return {
        "cards": [
            card_json(
                card,
                currency=operators_of[card.operator_id].currency,
                reasons=reasons.get(card.card_id, []),
            )
            for card in found
        ]
    }


@router.get("/cards/{card}")
async def get_card(card: str, services: Given, account_id: Driver) -> dict[str, Any]:
    """One card."""
    async with services.pool.acquire() as conn:
        found = await cards.get(conn, account_id=account_id, card_id=from_text(cards.ID_PREFIX, card))
        reasons = await cards.reasons(conn, [found.card_id])
        operator = await operators.get(conn, found.operator_id)
    return card_json(found, currency=operator.currency, reasons=reasons.get(found.card_id, []))


@router.get("/stays")
async def list_stays(
    services: Given, now: Now, account_id: Driver, limit: Limit = 50, before: Before = None
) -> dict[str, Any]:
    """The driver's stays, newest entry first."""
    async with services.pool.acquire() as conn:
        found = await views.stays(conn, account_id, before=place_of(STAY_PREFIX, before), limit=limit, now=now)
    more = mark_of(STAY_PREFIX, Place(found[-1].entry_at, found[-1].stay_id)) if len(found) == limit else None
    return {"stays": [_stay_json(stay) for stay in found], "next": more}


@router.get("/charges")
async def list_charges(services: Given, account_id: Driver, limit: Limit = 50, before: Before = None) -> dict[str, Any]:
    """The driver's charges, newest first; deposits too."""
    async with services.pool.acquire() as conn:
        found = await views.charges(conn, account_id, before=place_of(CHARGE_PREFIX, before), limit=limit)
    more = mark_of(CHARGE_PREFIX, Place(found[-1].created_at, found[-1].charge_id)) if len(found) == limit else None
    return {"charges": [_charge_json(charge) for charge in found], "next": more}


@router.get("/arrears")
async def list_arrears(services: Given, account_id: Driver) -> dict[str, Any]:
    """What the driver owes now, oldest first."""
    async with services.pool.acquire() as conn:
        found = await views.arrears(conn, account_id)
    return {"arrears": [_arrears_json(one) for one in found]}


def card_json(card: Card, *, currency: str, reasons: list[FreezeReason]) -> dict[str, Any]:
    """A card as drivers see it."""
    return {
        "card_id": to_text(cards.ID_PREFIX, card.card_id),
        "operator_id": to_text(operators.ID_PREFIX, card.operator_id),
        "agreement_id": to_text(agreements.ID_PREFIX, card.agreement_id),
        "vehicle_class": card.vehicle_class,
        "state": card.state,
        "frozen_for": reasons,
        "deposit_minor": card.deposit_minor,
        "currency": currency,
        "created_at": card.created_at,
    }


def _agreement_json(agreement: Agreement) -> dict[str, Any]:
    return {
        "agreement_id": to_text(agreements.ID_PREFIX, agreement.agreement_id),
        "channel": agreement.channel,
        "external_no": agreement.external_no,
        "state": agreement.state,
        "sign_url": agreement.sign_url,
        "expires_at": agreement.expires_at,
    }


def _stay_json(stay: views.Stay) -> dict[str, Any]:
    return {
        "stay_id": to_text(STAY_PREFIX, stay.stay_id),
        "card_id": to_text(cards.ID_PREFIX, stay.card_id),
        "lot": _lot_json(stay.lot_id, stay.lot_name),
        "time_zone": stay.time_zone,
        "entry_at": stay.entry_at,
        "exit_at": stay.exit_at,
        "state": stay.state,
        "reason": stay.reason,
        "fee_minor": stay.fee_minor,
        "currency": stay.currency,
        "charge_state": stay.charge_state,
        "marks": stay.marks,
        "missing": stay.missing,
        "missing_text": missing.text(lot_name=stay.lot_name, time_zone=stay.time_zone, entry_at=stay.entry_at)
        if stay.missing == "exit"
        else None,
        "corrections": stay.corrections,
    }


def _charge_json(charge: views.Charge) -> dict[str, Any]:
    return {
        "charge_id": to_text(CHARGE_PREFIX, charge.charge_id),
        "kind": charge.kind,
        "card_id": to_text(cards.ID_PREFIX, charge.card_id),
        "lot": _lot_json(charge.lot_id, charge.lot_name),
        "gross_minor": charge.gross_minor,
        "discount_minor": charge.discount_minor,
        "net_minor": charge.net_minor,
        "refunded_minor": charge.refunded_minor,
        "currency": charge.currency,
        "state": charge.state,
        "created_at": charge.created_at,
        "due_at": charge.due_at,
        "paid_at": charge.paid_at,
    }


def _arrears_json(one: views.Arrears) -> dict[str, Any]:
    return {
        "charge_id": to_text(CHARGE_PREFIX, one.charge_id),
        "card_id": to_text(cards.ID_PREFIX, one.card_id),
        "lot": _lot_json(one.lot_id, one.lot_name),
        "amount_minor": one.amount_minor,
        "currency": one.currency,
        "business_day": one.business_day,
        "since": one.opened_at,
    }


def _lot_json(lot_id: int | None, name: str | None) -> dict[str, Any] | None:
    return {"lot_id": to_text(lots.ID_PREFIX, lot_id), "name": name} if lot_id is not None else None
