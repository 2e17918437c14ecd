"""Issuing credentials to active cards only, under the card's row lock, and making online codes."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from parkflow import core
from parkflow.card import service as cards
from parkflow.card.service import Card
from parkflow.credential import store
from parkflow.credential.devices import BadDeviceSignature
from parkflow.credential.keys import ensure_issuer_key, open_signer
from parkflow.credential.rules import (
    NOT_BEFORE_SLACK_SECONDS,
    REQUEST_AGE_MAX,
    CredentialRequest,
    issue_refusal,
)
from parkflow.credential.store import Credential
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.vault import Vault

__all__ = ["Credential", "CredentialRequest"]

# An online credential with less than this left is replaced, so that its last code is still good at the gate.
ONLINE_MARGIN: Final = timedelta(minutes=5)
_NO_CEILING: Final = 0
_NONCES: Final = 1 << 16


class RequestStale(ParkflowError):
    """The request's time is more than five minutes from ours; set the phone's clock and ask again."""

    code = "request_stale"
    status = 422


class BadCodeKey(ParkflowError):
    """A code key is an Ed25519 public key of 32 bytes: canonical, of full order."""

    code = "bad_code_key"
    status = 422


class CodeKeyInUse(ParkflowError):
    """The code key was used for another credential; make a new key pair for each."""

    code = "code_key_in_use"
    status = 409


@dataclass(frozen=True, slots=True)
class Holder:
    """Who gets a credential: a device, or the server itself with the secret of the code key."""

    device_id: int | None
    code_key: bytes
    code_secret: bytes | None


async def issue(
    conn: Conn,
    vault: Vault,
    *,
    card: Card,
    request: CredentialRequest,
    lifetime: timedelta,
    now: datetime,
) -> Credential:
    """A credential for a device of the card, which the caller has locked; the same one for the same code key.

    Raises CardInArrears, CardFrozen, CardReturning, CardNotActive, NotFound (no such device), RequestStale, BadCodeKey,
    BadDeviceSignature, CodeKeyInUse.
    """
    await _check_may_issue(conn, card)
    await _check_request(conn, card, request, now=now)
    known = await store.credential_of_code_key(conn, bucket=card.bucket, code_key=request.code_key)
    if known is not None:
        # The answer to the first request was lost; another credential for the same key would be a second identity.
        if (known.card_id, known.device_id) != (card.card_id, request.device_id) or known.expires_at <= now:
            raise CodeKeyInUse
        return known
    return await _issue(
        conn, vault, card, Holder(request.device_id, request.code_key, None), lifetime=lifetime, now=now
    )


async def online_code(conn: Conn, vault: Vault, *, card: Card, lifetime: timedelta, now: datetime) -> str:
    """A code of the moment for a phone that cannot make its own; the caller has locked the card.

    Raises CardInArrears, CardFrozen, CardReturning, CardNotActive.
    """
    await _check_may_issue(conn, card)
    held = await store.online_credential(conn, card_id=card.card_id, valid_until=now + ONLINE_MARGIN)
    if held is None:
        code_secret = secrets.token_bytes(32)
        holder = Holder(None, core.public_key(code_secret), code_secret)
        held = await _issue(conn, vault, card, holder, lifetime=lifetime, now=now)
    assert held.code_secret_sealed is not None, "the server holds the key of an online credential"
    code_secret = vault.open_secret(_code_key_owner(held.code_key), held.code_secret_sealed)
    return core.make_code(held.credential, code_secret, int(now.timestamp()), secrets.randbelow(_NONCES))


async def _check_may_issue(conn: Conn, card: Card) -> None:
    reasons = await cards.reasons(conn, [card.card_id])
    refusal = issue_refusal(card.state, reasons.get(card.card_id, []))
    if refusal is not None:
        raise refusal


async def _check_request(conn: Conn, card: Card, request: CredentialRequest, *, now: datetime) -> None:
    device = await store.device(conn, request.device_id)
    if device is None or device.card_id != card.card_id or device.revoked_at is not None:
        raise NotFound("there is no such device on this card; enrol it first")
    if abs(int(now.timestamp()) - request.requested_at_s) > REQUEST_AGE_MAX.total_seconds():
        raise RequestStale
    if not core.check_public_key(request.code_key):
        raise BadCodeKey
    message = request.message(card.card_id)
    if not core.verify_message(device.public_key, "credential-request/1", message, request.signature):
        raise BadDeviceSignature


async def _issue(
    conn: Conn, vault: Vault, card: Card, holder: Holder, *, lifetime: timedelta, now: datetime
) -> Credential:
    signer = open_signer(vault, await ensure_issuer_key(conn, vault, card.operator_id, now=now))
    serial = await cards.take_serial(conn, card.card_id)
    subject = core.seal_subject(signer.subject_key, card.card_id, serial)
    not_before = now.replace(microsecond=0) - timedelta(seconds=NOT_BEFORE_SLACK_SECONDS)
    fields = core.CredentialFields(
        kid=signer.kid,
        subject=subject,
        code_key=holder.code_key,
        not_before_s=int(not_before.timestamp()),
        lifetime_minutes=lifetime // timedelta(minutes=1),
        product=signer.product,
        ceiling=_NO_CEILING,
    )
    credential = Credential(
        card_id=card.card_id,
        serial=serial,
        device_id=holder.device_id,
        kid=signer.kid,
        subject=subject,
        code_key=holder.code_key,
        code_secret_sealed=_sealed_code_secret(vault, holder),
        credential=core.issue_credential(signer.secret, fields),
        issued_at=now,
        not_before=not_before,
        expires_at=not_before + lifetime,
    )
    await store.insert_credential(conn, credential)
    return credential


def _sealed_code_secret(vault: Vault, holder: Holder) -> bytes | None:
    if holder.code_secret is None:
        return None
    return vault.seal_secret(_code_key_owner(holder.code_key), holder.code_secret)


def _code_key_owner(code_key: bytes) -> str:
    return f"code/{code_key.hex()}"
