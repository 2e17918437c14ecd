"""Calls about the QR codes on lots' signs: what a sign says, for everybody; a sign to print, for its operator."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse, Response

from parkflow import qr
from parkflow.api.context import Given, Now
from parkflow.api.operator_auth import Configurer
from parkflow.db.tx import tx
from parkflow.kit.ids import from_text, to_text
from parkflow.lot import qr as lot_qr
from parkflow.lot import service as lots
from parkflow.lot.rules import LotQrPurpose
from parkflow.operator import service as operators

router = APIRouter(prefix="/v1")

# About 8 cm at the 300 dots per inch of a printer.
PIXELS: Final = 1_000


class SignWanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    purpose: LotQrPurpose
    format: Literal["svg", "png", "text"] = "svg"
    pixels: int = Field(PIXELS, ge=1, le=qr.PIXELS_MAX, description="the side of a PNG")


class SignAnswer(BaseModel):
    operator_name: str
    lot_id: str
    lot_name: str
    lane_id: str
    lane_reference: str = Field(description="the operator's own name of the lane")
    purpose: LotQrPurpose


@router.get("/lot-qr/{token}", tags=["driver"])
async def read_sign(token: str, services: Given) -> SignAnswer:
    """Whose sign this is and at which lane it stands; `lot_qr_refused` for a sticker that is nobody's.

    Needs no log-in. A genuine sign can be copied, so the page shows the answer to the driver, who sees where they are.
    """
    async with services.pool.acquire() as conn:
        sign = await lot_qr.check(conn, token)
    return SignAnswer(
        operator_name=sign.operator.name,
        lot_id=to_text(lots.ID_PREFIX, sign.lot.lot_id),
        lot_name=sign.lot.name,
        lane_id=to_text(lots.LANE_ID_PREFIX, sign.lane.lane_id),
        lane_reference=sign.lane.reference,
        purpose=sign.purpose,
    )


@router.get("/operator/lots/{lot}/lanes/{lane}/qr", tags=["operator"])
async def make_sign(
    lot: str, lane: str, wanted: Annotated[SignWanted, Query()], services: Given, now: Now, caller: Configurer
) -> Response:
    """A newly signed sign for the lane, to print; every sign that was made before stays good."""
    place = lot_qr.Place(
        operator_id=caller.operator_id,
        lot_id=from_text(lots.ID_PREFIX, lot),
        lane_id=from_text(lots.LANE_ID_PREFIX, lane),
        purpose=wanted.purpose,
    )
    async with tx(services.pool) as conn:
        token = await lot_qr.make(conn, services.vault, place, now=now)
        await operators.record(conn, caller, action="lot_qr_made", subject=f"{lane} {wanted.purpose}", now=now)
    text = services.settings.lot_qr_base_url + token
    match wanted.format:
        case "svg":
            return Response(qr.lot_qr_svg(text), media_type="image/svg+xml")
        case "png":
            return Response(qr.lot_qr_png(text, wanted.pixels), media_type="image/png")
        case "text":
            return PlainTextResponse(text)
