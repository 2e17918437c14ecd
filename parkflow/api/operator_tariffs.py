"""The operator's calls about tariffs that exist: versions, a lot's timetable, a shadow run before one is assigned."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parkflow.api.context import Given, Now
from parkflow.api.operator_auth import Configurer
from parkflow.db.tx import tx
from parkflow.kit.encoding import bytes_from_hex
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import from_text
from parkflow.lot import service as lot_service
from parkflow.operator import service as operator_service
from parkflow.tariff import service as tariff_service
from parkflow.views import shadow

router = APIRouter(prefix="/v1/operator", tags=["operator"])
# Some seconds of work; more stays are the command's, which shows how far it is.
SHADOW_STAYS_MAX: Final = 50_000


class VersionAnswer(BaseModel):
    tariff_id: str
    version: int
    sha256: str
    currency: str
    time_zone: str
    version_at: Literal["entry", "exit"]
    valid_from: datetime | None
    valid_to: datetime | None
    created_at: datetime


class TimetableLineAnswer(BaseModel):
    valid_from: datetime
    tariff_id: str
    version: int
    sha256: str


class ShadowRequest(BaseModel):
    """Either a text that is not published, or the sha256 of a version."""

    model_config = ConfigDict(extra="forbid")

    source: Annotated[str | None, Field(max_length=256 * 1024)] = None
    sha256: str | None = None
    first: date
    last: date
    top: Annotated[int, Field(ge=0, le=100)] = 20


class OneTariff(ParkflowError):
    """A shadow run is of one tariff: give either its source or its sha256."""

    code = "one_tariff"
    status = 422


@router.get("/tariffs")
async def list_versions(services: Given, caller: Configurer) -> list[VersionAnswer]:
    """All versions, each tariff's newest first."""
    async with services.pool.acquire() as conn:
        versions = await tariff_service.versions(conn, operator_id=caller.operator_id)
    return [
        VersionAnswer(
            tariff_id=one.tariff_id,
            version=one.version,
            sha256=one.sha256.hex(),
            currency=one.currency,
            time_zone=one.time_zone,
            version_at=one.version_at.value,
            valid_from=one.valid_from,
            valid_to=one.valid_to,
            created_at=one.created_at,
        )
        for one in versions
    ]


@router.get("/lots/{lot}/tariff")
async def list_timetable(lot: str, services: Given, caller: Configurer) -> list[TimetableLineAnswer]:
    """From when on the lot has which version, past and future, in order."""
    async with services.pool.acquire() as conn:
        lines = await tariff_service.timetable(
            conn, operator_id=caller.operator_id, lot_id=from_text(lot_service.ID_PREFIX, lot)
        )
    return [
        TimetableLineAnswer(
            valid_from=line.valid_from, tariff_id=line.tariff_id, version=line.version, sha256=line.sha256.hex()
        )
        for line in lines
    ]


@router.delete("/lots/{lot}/tariff", status_code=status.HTTP_204_NO_CONTENT)
async def cancel_assignment(
    lot: str, valid_from: Annotated[AwareDatetime, Query()], services: Given, now: Now, caller: Configurer
) -> None:
    """Take back an assignment that has not begun."""
    async with tx(services.pool) as conn:
        sha256 = await tariff_service.cancel(
            conn,
            operator_id=caller.operator_id,
            lot_id=from_text(lot_service.ID_PREFIX, lot),
            valid_from=valid_from,
            now=now,
        )
        await operator_service.record(conn, caller, action="tariff_cancelled", subject=f"{lot} {sha256.hex()}", now=now)


@router.post("/lots/{lot}/tariff/shadow")
async def shadow_run(lot: str, body: ShadowRequest, services: Given, caller: Configurer) -> dict[str, Any]:
    """What the stays that began from `first` to `last` (local days) would cost under the tariff, beside their charges.

    Nothing is written. `unpriced_after` names what it cannot price; `complete` is false when there were more stays than
    one call looks at.
    """
    if (body.source is None) == (body.sha256 is None):
        raise OneTariff
    if body.source is not None:
        tariff = tariff_service.checked(body.source)
    else:
        sha256 = bytes_from_hex("sha256", body.sha256 or "", length=32)
        async with services.pool.acquire() as conn:
            await tariff_service.get(conn, operator_id=caller.operator_id, sha256=sha256)
            tariff = (await tariff_service.parsed(conn, [sha256]))[sha256]
    span = shadow.Span(caller.operator_id, from_text(lot_service.ID_PREFIX, lot), body.first, body.last)
    done = await shadow.run(services.pool, span, tariff, top=body.top, stays_max=SHADOW_STAYS_MAX)
    named = {"tariff_id": tariff.id, "sha256": tariff.sha256, "currency": tariff.currency}
    return {**done.comparison.to_json(), "before": "charged", "after": named, "complete": done.complete}
