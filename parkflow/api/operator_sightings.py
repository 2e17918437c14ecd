"""The operator's calls about passages whose card is not known: look through them, say whose they were, or dismiss them.

Every look leaves an audit row. Plates and tickets are shown shortened unless the caller asks for them and may see them.
"""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parkflow.api.context import Given, Now
from parkflow.api.days import SPAN_MAX, MalformedSpan
from parkflow.api.operator_auth import caller_with
from parkflow.api.paging import mark_of, place_of
from parkflow.card import service as cards
from parkflow.card.service import CardState
from parkflow.db.conn import Conn
from parkflow.db.tx import tx
from parkflow.gate import service as gates
from parkflow.gate import sightings as gate_sightings
from parkflow.gate.sightings import LIFT, KeptSighting
from parkflow.gate.state import SightingState
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import bucket_of, from_text, to_text
from parkflow.lot import service as lots
from parkflow.operator import service as operators
from parkflow.operator.rules import Permission, require
from parkflow.operator.service import Principal
from parkflow.parking import sightings as matching
from parkflow.vault import Vault
from parkflow.views import operator_sightings as views
from parkflow.views.driver import Place
from parkflow.views.operator_sightings import BarrierDay, SightingLine, Wanted

SIGHTINGS_PER_PAGE_MAX: Final = 200
ASSIGNED: Final = "assigned"
BY_OPERATOR: Final = "by_operator"

router = APIRouter(prefix="/v1/operator", tags=["operator"])
Looker = Annotated[Principal, Depends(caller_with(Permission.SEE_SIGHTINGS))]
Decider = Annotated[Principal, Depends(caller_with(Permission.DECIDE_SIGHTINGS))]
Shown = Literal["short", "full"]


class CardTakesNoPassage(ParkflowError):
    """A passage is given only to a card whose deposit is paid and that was not handed back."""

    code = "card_takes_no_passage"
    status = 409


class SightingDecided(ParkflowError):
    """It was decided otherwise meanwhile; look at it again."""

    code = "sighting_decided"
    status = 409


class Assignment(BaseModel):
    """Whose passage it was."""

    model_config = ConfigDict(extra="forbid")

    card_id: str


class Dismissal(BaseModel):
    """Why it is nobody's passage; kept in the audit log."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=200)


class SightingAnswer(BaseModel):
    """A passage without a code; `seen` is the plate or ticket, with `…` for what is not shown."""

    sighting_id: str
    gate_id: str
    lot_id: str
    direction: str
    medium: str
    seen: str | None
    lifted_by: str | None
    scanned_at: datetime
    received_at: datetime
    state: str
    reason: str | None
    card_id: str | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None


class SightingPage(BaseModel):
    sightings: list[SightingAnswer]
    next: str | None = Field(description="`before` of the next page; null on the last one")


class CandidateAnswer(BaseModel):
    """A card of a driver who has the plate; `inside_since` where it was in the lot at that moment."""

    card_id: str
    state: CardState
    inside_since: datetime | None


class SightingDetail(SightingAnswer):
    candidates: list[CandidateAnswer]


class BarrierDayAnswer(BaseModel):
    """One gate on one day of the operator's time zone."""

    day: date
    gate_id: str
    lot_id: str
    lifts: int = Field(description="barriers raised by hand")
    lifts_nothing_shown: int = Field(description="of them, those for whom nothing was shown")
    plates_refused: int
    lifted_by: dict[str, int] = Field(description="lifts by who raised the barrier, as the gate named them")


class Filter(BaseModel):
    """Which sightings to list."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["held", "noted"] = "held"
    reason: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")] | None = None
    lot: str | None = None
    direction: Literal["entry", "exit"] | None = None
    medium: Literal["plate", "ticket", "lift"] | None = None
    since: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: Annotated[AwareDatetime | None, Field(alias="to")] = None
    plates: Shown = "short"
    before: str | None = None
    limit: Annotated[int, Field(ge=1, le=SIGHTINGS_PER_PAGE_MAX)] = 50


@router.get("/sightings")
async def list_sightings(wanted: Annotated[Filter, Query()], services: Given, now: Now, caller: Looker) -> SightingPage:
    """Passages that wait for a person (or, with `state=noted`, raised barriers on record), newest first."""
    _may_see(caller, wanted.plates)
    place = place_of(gate_sightings.ID_PREFIX, wanted.before)
    chosen = Wanted(
        wanted.state,
        wanted.reason,
        None if wanted.lot is None else from_text(lots.ID_PREFIX, wanted.lot),
        wanted.direction,
        wanted.medium,
        wanted.since,
        wanted.until,
    )
    async with tx(services.pool) as conn:
        found = await views.sightings(conn, caller.operator_id, chosen, before=place, limit=wanted.limit)
        subject = f"{len(found)} {wanted.state}, {wanted.plates}"
        await operators.record(conn, caller, action="sightings_listed", subject=subject, now=now)
    last = found[-1] if len(found) == wanted.limit else None
    return SightingPage(
        sightings=[SightingAnswer(**_fields(services.vault, line, wanted.plates)) for line in found],
        next=None if last is None else mark_of(gate_sightings.ID_PREFIX, Place(last.scanned_at, last.sighting_id)),
    )


@router.get("/sightings/{sighting}")
async def get_sighting(
    sighting: str, services: Given, now: Now, caller: Looker, plates: Shown = "short"
) -> SightingDetail:
    """One passage, with the cards that it may have been."""
    _may_see(caller, plates)
    async with tx(services.pool) as conn:
        kept = await _own(conn, caller, sighting)
        candidates = await matching.candidates(conn, kept)
        line = await views.sighting(conn, caller.operator_id, kept.sighting_id)
        await operators.record(conn, caller, action="sighting_seen", subject=f"{sighting}, {plates}", now=now)
    assert line is not None, "what was found in the transaction is there"
    shown = [
        CandidateAnswer(
            card_id=to_text(cards.ID_PREFIX, one.card.card_id), state=one.card.state, inside_since=one.inside_since
        )
        for one in candidates
    ]
    return SightingDetail(**_fields(services.vault, line, plates), candidates=shown)


@router.post("/sightings/{sighting}/assign")
async def assign_sighting(
    sighting: str, body: Assignment, services: Given, now: Now, caller: Decider
) -> SightingAnswer:
    """It was a passage of this card: a scan like any other from now on. Asking again changes nothing."""
    card_id = from_text(cards.ID_PREFIX, body.card_id)
    async with tx(services.pool) as conn:
        kept = await _own(conn, caller, sighting)
        if kept.state is SightingState.MATCHED:
            if kept.card_id != card_id:
                raise SightingDecided
        else:
            await _require_in_use(conn, caller, card_id)
            await gate_sightings.assign(conn, kept, card_id=card_id, reason=ASSIGNED, by=caller.token_name, now=now)
            subject = f"{sighting} to {body.card_id}"
            await operators.record(conn, caller, action="sighting_assigned", subject=subject, now=now)
        return await _answer(conn, services.vault, caller, kept.sighting_id)


@router.post("/sightings/{sighting}/dismiss")
async def dismiss_sighting(
    sighting: str, body: Dismissal, services: Given, now: Now, caller: Decider
) -> SightingAnswer:
    """It is nobody's passage. Asking again changes nothing."""
    async with tx(services.pool) as conn:
        kept = await _own(conn, caller, sighting)
        if kept.state is not SightingState.DISMISSED:
            await gate_sightings.dismiss_one(conn, kept, reason=BY_OPERATOR, by=caller.token_name, now=now)
            subject = f"{sighting}: {body.reason}"
            await operators.record(conn, caller, action="sighting_dismissed", subject=subject, now=now)
        return await _answer(conn, services.vault, caller, kept.sighting_id)


@router.get("/lifts")
async def list_lifts(
    services: Given,
    now: Now,
    caller: Looker,
    first: Annotated[date, Query(alias="from")],
    last: Annotated[date, Query(alias="to")],
) -> list[BarrierDayAnswer]:
    """Barriers raised by hand, by whom, and refused plates, per gate and day from `from` to `to` (both in it)."""
    if not first <= last <= first + SPAN_MAX or last == date.max:
        raise MalformedSpan
    async with tx(services.pool) as conn:
        operator = await operators.get(conn, caller.operator_id)
        found = await views.barriers_by_hand(
            conn, operator.operator_id, first=first, last=last, time_zone=operator.time_zone
        )
        await operators.record(conn, caller, action="lifts_listed", subject=f"{first} to {last}", now=now)
    return [_barrier_answer(line) for line in found]


def shortened(seen: str) -> str:
    """Enough of a plate or ticket to compare it with one at hand: its first and last character."""
    return f"{seen[0]}…{seen[-1]}" if len(seen) > 2 else "…"


def _may_see(caller: Principal, shown: Shown) -> None:
    if shown == "full":
        require(caller.role, Permission.SEE_PLATES)


async def _own(conn: Conn, caller: Principal, sighting: str) -> KeptSighting:
    sighting_id = from_text(gate_sightings.ID_PREFIX, sighting)
    return await gate_sightings.of_operator(conn, operator_id=caller.operator_id, sighting_id=sighting_id)


async def _require_in_use(conn: Conn, caller: Principal, card_id: int) -> None:
    """The card's lock is also taken by whoever finishes its return. Raises NotFound, CardTakesNoPassage."""
    card = await cards.lock_card(conn, bucket_of(card_id), card_id)
    if card.operator_id != caller.operator_id:
        raise NotFound("there is no such card")
    if card.state in (CardState.ISSUED, CardState.RETURNED):
        raise CardTakesNoPassage


async def _answer(conn: Conn, vault: Vault, caller: Principal, sighting_id: int) -> SightingAnswer:
    line = await views.sighting(conn, caller.operator_id, sighting_id)
    assert line is not None, "what was found in the transaction is there"
    return SightingAnswer(**_fields(vault, line, "short"))


def _fields(vault: Vault, line: SightingLine, shown: Shown) -> dict[str, Any]:
    seen = None
    if line.seen_sealed is not None and line.medium != LIFT:
        opened = gate_sightings.open_seen(vault, line.medium, line.seen_sealed)
        seen = opened if shown == "full" else shortened(opened)
    return {
        "sighting_id": to_text(gate_sightings.ID_PREFIX, line.sighting_id),
        "gate_id": to_text(gates.ID_PREFIX, line.gate_id),
        "lot_id": to_text(lots.ID_PREFIX, line.lot_id),
        "direction": line.direction,
        "medium": line.medium,
        "seen": seen,
        "lifted_by": line.lifted_by,
        "scanned_at": line.scanned_at,
        "received_at": line.received_at,
        "state": line.state,
        "reason": line.reason,
        "card_id": None if line.card_id is None else to_text(cards.ID_PREFIX, line.card_id),
        "decided_at": line.decided_at,
        "decided_by": line.decided_by,
    }


def _barrier_answer(line: BarrierDay) -> BarrierDayAnswer:
    return BarrierDayAnswer(
        day=line.day,
        gate_id=to_text(gates.ID_PREFIX, line.gate_id),
        lot_id=to_text(lots.ID_PREFIX, line.lot_id),
        lifts=line.lifts,
        lifts_nothing_shown=line.lifts_nothing_shown,
        plates_refused=line.plates_refused,
        lifted_by=line.by_person,
    )
