"""The bundle: what the gates of an operator need offline, built when it changes, signed by the operator's root key."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from parkflow import core
from parkflow.credential import keys as credential_keys
from parkflow.db.conn import Conn
from parkflow.gate import store
from parkflow.gate.store import Bundle
from parkflow.kit.encoding import base64url
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import to_text
from parkflow.lot import service as lot_service
from parkflow.lot.service import Lot
from parkflow.operator import service as operator_service
from parkflow.vault import Vault

PURPOSE: Final = "bundle/1"
# A gate without a network opens for entries so long; the longest credential lives 72 hours.
LIFETIME: Final = timedelta(hours=72)
# Renewed long before it ends, so that a gate that was offline for a day has still two.
RENEW_BEFORE_END: Final = timedelta(hours=48)


class BundleMissing(ParkflowError):
    """The operator's bundle could not be built just now; ask again in a moment."""

    code = "bundle_missing"
    status = 503


@dataclass(frozen=True, slots=True)
class Content:
    """What a bundle says besides its version and times; a new version is due when it changes."""

    fields: dict[str, Any]

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(_canonical(self.fields)).digest()


async def refresh(conn: Conn, vault: Vault, *, operator_id: int, now: datetime) -> Bundle:
    """The operator's newest bundle, a new version first if keys, denied cards or lots changed or its end is near."""
    newest = await store.newest_bundle(conn, operator_id)
    content = await _content(conn, operator_id, now)
    if newest is not None and newest.content_sha256 == content.sha256 and newest.expires_at - now > RENEW_BEFORE_END:
        return newest
    bundle = await _sign(conn, vault, operator_id, content, newest, now)
    if await store.insert_bundle(conn, operator_id, bundle):
        return bundle
    # Another process built this version at the same moment; theirs is the one that counts.
    newest = await store.newest_bundle(conn, operator_id)
    if newest is None:
        raise BundleMissing
    return newest


async def refresh_all(conn: Conn, vault: Vault, *, now: datetime) -> int:
    """Bring the bundle of every operator up to date; how many got a new version."""
    renewed = 0
    for operator_id in await operator_service.all_ids(conn):
        before = await store.newest_bundle(conn, operator_id)
        after = await refresh(conn, vault, operator_id=operator_id, now=now)
        renewed += before is None or before.version != after.version
    return renewed


async def current(conn: Conn, vault: Vault, *, operator_id: int, now: datetime) -> Bundle:
    """The newest bundle as it stands; built here only when there is none that a gate would take."""
    newest = await store.newest_bundle(conn, operator_id)
    if newest is not None and newest.expires_at > now:
        return newest
    return await refresh(conn, vault, operator_id=operator_id, now=now)


async def newest_version(conn: Conn, operator_id: int) -> int:
    """The version that a gate may fetch; 0 before the first."""
    newest = await store.newest_bundle(conn, operator_id)
    return 0 if newest is None else newest.version


async def _content(conn: Conn, operator_id: int, now: datetime) -> Content:
    keys = await credential_keys.key_set(conn, operator_id)
    denied = await credential_keys.denied_subjects(conn, operator_id, now=now)
    lots = await lot_service.of_operator(conn, operator_id)
    return Content(
        {
            "operator_id": to_text(operator_service.ID_PREFIX, operator_id),
            "keys": [_key(key) for key in keys],
            "denied": [base64url(subject) for subject in sorted(denied)],
            "lots": [_lot(lot) for lot in lots],
        }
    )


async def _sign(
    conn: Conn, vault: Vault, operator_id: int, content: Content, newest: Bundle | None, now: datetime
) -> Bundle:
    version = 1 if newest is None else newest.version + 1
    expires_at = now + LIFETIME
    payload = _canonical(
        {**content.fields, "version": version, "issued_at": _instant(now), "expires_at": _instant(expires_at)}
    )
    root_secret = await operator_service.root_secret(conn, vault, operator_id)
    return Bundle(version, content.sha256, payload, core.sign_message(root_secret, PURPOSE, payload), now, expires_at)


def _key(key: core.IssuerKey) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "public_key": base64url(key.public_key),
        "operator_id": to_text(operator_service.ID_PREFIX, key.operator_id),
        "product": key.product,
        "not_before": _instant(datetime.fromtimestamp(key.not_before_s, UTC)),
        "not_after": _instant(datetime.fromtimestamp(key.not_after_s, UTC)),
    }


def _lot(lot: Lot) -> dict[str, Any]:
    return {
        "lot_id": to_text(lot_service.ID_PREFIX, lot.lot_id),
        "product": lot.product,
        "code_age_max_seconds": lot.policy.code_age_max_seconds,
        "skew_seconds": lot.policy.skew_seconds,
        "exit_denied": lot.policy.exit_denied,
    }


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
