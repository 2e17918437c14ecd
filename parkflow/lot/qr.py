"""Signed QR codes on lots' signs: made for a lane by its operator, checked before a driver's page believes one."""

from dataclasses import dataclass
from datetime import datetime

from parkflow import core
from parkflow.core import LotQrFields, LotQrRefused
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.lot import service as lots
from parkflow.lot.rules import LotQrPurpose, lot_qr_fits
from parkflow.lot.service import Lane, Lot
from parkflow.operator import service as operators
from parkflow.operator.service import Operator
from parkflow.vault import Vault


class LotQrPurposeUnfit(ParkflowError):
    """A lane takes signs for the way that it leads, and for paying before the exit."""

    code = "lot_qr_purpose_unfit"
    status = 422


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign that is its operator's: where it stands and what it is for."""

    operator: Operator
    lot: Lot
    lane: Lane
    purpose: LotQrPurpose


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sign is to stand and what it is to be for."""

    operator_id: int
    lot_id: int
    lane_id: int
    purpose: LotQrPurpose


async def make(conn: Conn, vault: Vault, place: Place, *, now: datetime) -> str:
    """The token of a new sign, signed with the operator's root key.

    Raises NotFound for a lot or lane that is not the operator's, LotQrPurposeUnfit.
    """
    await lots.get(conn, operator_id=place.operator_id, lot_id=place.lot_id)
    lane = await lots.get_lane(conn, operator_id=place.operator_id, lane_id=place.lane_id)
    if lane.lot_id != place.lot_id:
        raise NotFound("the lot has no such lane")
    if not lot_qr_fits(place.purpose, lane.direction):
        raise LotQrPurposeUnfit(f"a lane of direction {lane.direction} takes no sign for {place.purpose}")
    fields = LotQrFields(
        operator_id=place.operator_id,
        lot_id=place.lot_id,
        lane_id=place.lane_id,
        purpose=place.purpose,
        issued_at_s=int(now.timestamp()),
    )
    return core.sign_lot_qr(await operators.root_secret(conn, vault, place.operator_id), fields)


async def check(conn: Conn, token: str) -> Sign:
    """What the sign of a token says, if its operator signed it and it stands where it says.

    Raises LotQrRefused: with a reason of `core.LOT_QR_REFUSALS`, or `unknown_operator`, `unknown_lot`, `unknown_lane`
    (also a lane of another lot), `wrong_direction` (the lane was made for another way than the sign).
    """
    said = core.read_lot_qr(token)
    try:
        operator = await operators.get(conn, said.operator_id)
    except NotFound:
        raise LotQrRefused("unknown_operator") from None
    said = core.verify_lot_qr(token, operator.root_public_key)
    purpose = LotQrPurpose(said.purpose)
    try:
        lot = await lots.get(conn, operator_id=said.operator_id, lot_id=said.lot_id)
    except NotFound:
        raise LotQrRefused("unknown_lot") from None
    try:
        lane = await lots.get_lane(conn, operator_id=said.operator_id, lane_id=said.lane_id)
    except NotFound:
        raise LotQrRefused("unknown_lane") from None
    if lane.lot_id != lot.lot_id:
        raise LotQrRefused("unknown_lane")
    if not lot_qr_fits(purpose, lane.direction):
        raise LotQrRefused("wrong_direction")
    return Sign(operator, lot, lane, purpose)
