"""The receipt of a stay, for its driver and for its operator's staff: as JSON, as a page, or as a PDF."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Response

from parkflow.api.auth import Driver
from parkflow.api.context import Given, Now
from parkflow.api.operator_auth import caller_with
from parkflow.db.tx import tx
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import from_text
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Permission
from parkflow.operator.service import Principal
from parkflow.receipt import page, service
from parkflow.receipt.document import Receipt
from parkflow.receipt.words import language_of, statement, weighted

_JSON: Final = "application/json"
_PDF: Final = "application/pdf"
# What is given where a client takes several alike; JSON first.
_OFFERED: Final = (_JSON, page.MEDIA_TYPE, _PDF)
# A receipt changes when it is paid, and shared caches must not keep it.
_HEADERS: Final = {"Cache-Control": "private, no-store", "Vary": "Accept, Accept-Language, Authorization"}

router = APIRouter(tags=["receipts"])

Viewer = Annotated[Principal, Depends(caller_with(Permission.SEE_RECEIPTS))]
Accept = Annotated[str, Header(description="application/json, text/html or application/pdf")]
AcceptLanguage = Annotated[str, Header(description="zh or en")]


class NotAcceptable(ParkflowError):
    """A receipt is given as application/json, text/html or application/pdf."""

    code = "not_acceptable"
    status = 406


@router.get("/v1/driver/stays/{stay}/receipt", response_class=Response)
async def get_own_receipt(
    stay: str, services: Given, account_id: Driver, accept: Accept = "*/*", accept_language: AcceptLanguage = ""
) -> Response:
    """The receipt of one of the driver's stays, once it has a fee."""
    media_type = _media_type(accept)
    async with services.pool.acquire() as conn:
        found = await service.of_account(conn, from_text(service.ID_PREFIX, stay), account_id=account_id)
    return await _answer(found, media_type, language_of(accept_language))


@router.get("/v1/operator/stays/{stay}/receipt", response_class=Response)
async def get_receipt(
    *,
    stay: str,
    services: Given,
    now: Now,
    caller: Viewer,
    accept: Accept = "*/*",
    accept_language: AcceptLanguage = "",
) -> Response:
    """The receipt of a stay in one of the operator's lots, once it has a fee; the look leaves an audit row."""
    media_type = _media_type(accept)
    async with tx(services.pool) as conn:
        found = await service.of_operator(conn, from_text(service.ID_PREFIX, stay), operator_id=caller.operator_id)
        await operator_service.record(conn, caller, action="receipt_seen", subject=stay, now=now)
    return await _answer(found, media_type, language_of(accept_language))


async def _answer(found: Receipt, media_type: str, language: str) -> Response:
    name = f"{found.calculation.stay_id}.{media_type.rpartition('/')[2]}"
    headers = {**_HEADERS, **page.HEADERS, "Content-Disposition": f'inline; filename="{name}"'}
    if media_type == _JSON:
        return Response(found.to_json(), media_type=_JSON, headers=headers)
    # Telling computes the fee again and drawing measures every word: not on the event loop.
    content = await asyncio.to_thread(_shown, found, media_type, language)
    return Response(content, media_type=media_type, headers={**headers, "Content-Language": language})


def _shown(found: Receipt, media_type: str, language: str) -> bytes:
    told = statement(found, language)
    if media_type != _PDF:
        return page.as_page(told).encode()
    # Loading the PDF's maker takes half a second, which a service need not spend before its first PDF.
    from parkflow.receipt.pdf import as_pdf

    return as_pdf(told)


def _media_type(accept: str) -> str:
    """Which of ours an Accept header wants most (RFC 9110 §12.5.1). Raises NotAcceptable."""
    wanted = list(weighted(accept))
    best = max(_OFFERED, key=lambda offered: _weight(offered, wanted))
    if _weight(best, wanted) == 0:
        raise NotAcceptable
    return best


def _weight(offered: str, wanted: list[tuple[str, int]]) -> int:
    """The weight of the most exact range that contains the type."""
    for media_range in (offered, f"{offered.partition('/')[0]}/*", "*/*"):
        weights = [weight for value, weight in wanted if value == media_range]
        if weights:
            return max(weights)
    return 0
