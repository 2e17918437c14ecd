"""The driver's calls that lead to codes: enrolling a phone, credentials, and codes made by the server."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Response, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parkflow.api.auth import Driver
from parkflow.api.context import Given, Now
from parkflow.api.metrics import CREDENTIALS
from parkflow.card import service as cards
from parkflow.credential import devices
from parkflow.credential import service as credentials
from parkflow.credential.devices import DeviceProof
from parkflow.credential.service import CredentialRequest
from parkflow.db.tx import tx
from parkflow.kit.encoding import base64url, bytes_from_base64url
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import from_text, to_text
from parkflow.services import Services

router = APIRouter(prefix="/v1/driver/cards/{card}", tags=["driver codes"])

_KEY = Field(max_length=64, description="Ed25519 public key, base64url without padding")
_SIGNATURE = Field(max_length=128, description="Ed25519 signature, base64url without padding")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewDevice(_Body):
    public_key: str = _KEY
    challenge: str = Field(max_length=128, description="as it came, base64url without padding")
    signature: str = _SIGNATURE


class NewCredential(_Body):
    device_id: str
    code_key: str = _KEY
    requested_at: AwareDatetime
    signature: str = _SIGNATURE


@router.post("/device-challenges", status_code=status.HTTP_201_CREATED)
async def new_challenge(card: str, services: Given, now: Now, account_id: Driver) -> dict[str, Any]:
    """What the phone signs, under the purpose `enrol/1`, to show that it holds its device key."""
    async with services.pool.acquire() as conn:
        found = await cards.get(conn, account_id=account_id, card_id=_card_id(card))
    challenge = devices.new_challenge(services.vault, card_id=found.card_id, now=now)
    return {"challenge": base64url(challenge), "expires_at": now + devices.CHALLENGE_LIFETIME}


@router.post("/devices", status_code=status.HTTP_201_CREATED)
async def enrol_device(card: str, body: NewDevice, services: Given, now: Now, account_id: Driver) -> dict[str, Any]:
    """Enrol a phone; the same key again gives the same device."""
    proof = DeviceProof(
        public_key=bytes_from_base64url("public_key", body.public_key),
        challenge=bytes_from_base64url("challenge", body.challenge),
        signature=bytes_from_base64url("signature", body.signature),
    )
    async with tx(services.pool) as conn:
        device_id = await devices.enrol_device(
            conn, services.vault, account_id=account_id, card_id=_card_id(card), proof=proof, now=now
        )
    return {"device_id": to_text(devices.ID_PREFIX, device_id)}


@router.delete("/devices/{device}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_device(card: str, device: str, services: Given, now: Now, account_id: Driver) -> Response:
    """A lost phone: its credentials are denied at the gates with the next bundle."""
    async with tx(services.pool) as conn:
        await devices.revoke_device(
            conn,
            account_id=account_id,
            card_id=_card_id(card),
            device_id=from_text(devices.ID_PREFIX, device),
            now=now,
        )
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/credentials", status_code=status.HTTP_201_CREATED)
async def issue_credential(
    card: str, body: NewCredential, services: Given, now: Now, account_id: Driver
) -> dict[str, Any]:
    """A credential for a code key of the phone; the same code key again gives the same credential."""
    request = CredentialRequest(
        device_id=from_text(devices.ID_PREFIX, body.device_id),
        code_key=bytes_from_base64url("code_key", body.code_key),
        requested_at_s=int(body.requested_at.timestamp()),
        signature=bytes_from_base64url("signature", body.signature),
    )
    with _Counting():
        async with tx(services.pool) as conn:
            locked = await cards.lock_own(conn, account_id=account_id, card_id=_card_id(card))
            issued = await credentials.issue(
                conn, services.vault, card=locked, request=request, lifetime=_lifetime(services), now=now
            )
    return {
        "credential": base64url(issued.credential),
        "serial": issued.serial,
        "not_before": issued.not_before,
        "expires_at": issued.expires_at,
    }


@router.post("/online-codes", status_code=status.HTTP_201_CREATED)
async def make_online_code(card: str, services: Given, now: Now, account_id: Driver) -> dict[str, Any]:
    """A code of the moment, made by the server, for phones that cannot make their own."""
    with _Counting():
        async with tx(services.pool) as conn:
            locked = await cards.lock_own(conn, account_id=account_id, card_id=_card_id(card))
            code = await credentials.online_code(
                conn, services.vault, card=locked, lifetime=_lifetime(services), now=now
            )
    return {"code": code, "refresh_after_seconds": services.settings.code_refresh_seconds}


class _Counting:
    """Counts what became of a request for a credential."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case None:
                CREDENTIALS.labels("issued").inc()
            case ParkflowError():
                CREDENTIALS.labels(error.code).inc()
            case _:
                CREDENTIALS.labels("failed").inc()


def _card_id(card: str) -> int:
    return from_text(cards.ID_PREFIX, card)


def _lifetime(services: Services) -> timedelta:
    return timedelta(minutes=services.settings.credential_lifetime_minutes)
