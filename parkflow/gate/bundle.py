"""The bundle: what the gates of an operator need offline, built when it changes, signed by the operator's root key."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from parkflow import core
from parkflow.credential import denylist
from parkflow.credential import keys as credential_keys
from parkflow.credential.rules import DENY_LIMITS, DenyLimits
from parkflow.db.conn import Conn
from parkflow.gate import store
from parkflow.gate.store import Bundle
from parkflow.kit.errors import ParkflowError
from parkflow.lot import service as lot_service
from parkflow.lot.service import Lane, Lot
from parkflow.operator import service as operator_service
from parkflow.vault import Vault

__all__ = ["Bundle"]

SIGNATURE_BYTES: Final = 64
# A gate without a network opens for entries so long; the longest credential lives 72 hours.
LIFETIME: Final = timedelta(hours=72)
# Renewed long before it ends, so that a gate that was offline for a day has still two.
RENEW_BEFORE_END: Final = timedelta(hours=48)
# Two processes that build at once agree in the second round; more rounds mean that something else is wrong.
_TRIES_MAX: Final = 5


class BundleMissing(ParkflowError):
    """The operator's bundle could not be built just now; ask again in a moment."""

    code = "bundle_missing"
    status = 503


async def refresh(
    conn: Conn, vault: Vault, *, operator_id: int, now: datetime, limits: DenyLimits = DENY_LIMITS
) -> Bundle:
    """The operator's newest bundle, a new version first if keys, denied cards or lots changed or its end is near."""
    for _ in range(_TRIES_MAX):
        newest = await store.newest_bundle(conn, operator_id)
        content = await _content(conn, operator_id, now, limits)
        digest = _digest(content)
        if newest is not None and newest.content_sha256 == digest and newest.expires_at - now > RENEW_BEFORE_END:
            return newest
        bundle = await _sign(conn, vault, content, digest, newest, now)
        if await store.insert_bundle(conn, operator_id, bundle):
            return bundle
        # Another process built this version at the same moment, perhaps without what is new here: look again.
    raise BundleMissing


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
    versions = await store.newest_versions(conn, [operator_id])
    return versions.get(operator_id, 0)


async def newest_versions(conn: Conn, operator_ids: Sequence[int]) -> dict[int, int]:
    """The version that gates may fetch, by operator; one that has no bundle yet is not in it."""
    return await store.newest_versions(conn, operator_ids)


async def _content(conn: Conn, operator_id: int, now: datetime, limits: DenyLimits) -> core.BundleContent:
    """What a bundle would say now; version and times are set when it is signed."""
    denied = await denylist.listing(conn, operator_id, now=now, limits=limits)
    lots = await lot_service.of_operator(conn, operator_id)
    lanes = await lot_service.lanes_of_operator(conn, operator_id)
    # Scans of past keys are the server's business; a gate meets codes of today.
    live = set(await credential_keys.live_kids(conn, operator_id, now=now))
    keys = [key for key in await credential_keys.key_set(conn, operator_id) if key.kid in live]
    return {
        "operator_id": operator_id,
        "version": 0,
        "issued_at_s": 0,
        "expires_at_s": 0,
        "keys": [_key(key) for key in keys],
        "lots": [_lot(lot, lanes.get(lot.lot_id, [])) for lot in lots],
        "filter": None if denied.filter is None else (denied.filter.sha256, len(denied.filter.content)),
        "denied": denied.denied,
        "cleared": denied.cleared,
    }


def _digest(content: core.BundleContent) -> bytes:
    """SHA-256 over the content; a new version is due when it changes."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=bytes.hex).encode()).digest()


async def _sign(
    conn: Conn,
    vault: Vault,
    content: core.BundleContent,
    digest: bytes,
    newest: Bundle | None,
    now: datetime,
) -> Bundle:
    # Whole seconds, as the bundle says them; rounded down, so that no gate takes its clock for behind.
    issued_at = now.replace(microsecond=0)
    expires_at = issued_at + LIFETIME
    content["version"] = 1 if newest is None else newest.version + 1
    content["issued_at_s"] = int(issued_at.timestamp())
    content["expires_at_s"] = int(expires_at.timestamp())
    root_secret = await operator_service.root_secret(conn, vault, content["operator_id"])
    sealed = core.seal_bundle(root_secret, content)
    payload, signature = sealed[:-SIGNATURE_BYTES], sealed[-SIGNATURE_BYTES:]
    return Bundle(content["version"], digest, payload, signature, issued_at, expires_at)


def _key(key: core.IssuerKey) -> core.BundleKey:
    return {
        "kid": key.kid,
        "operator_id": key.operator_id,
        "product": key.product or 0,
        "algorithm": core.ALGORITHM_ED25519,
        "not_before_s": key.not_before_s,
        "not_after_s": key.not_after_s,
        "public_key": key.public_key,
    }


def _lot(lot: Lot, lanes: Sequence[Lane]) -> core.BundleLot:
    policy = lot.policy
    return {
        "lot_id": lot.lot_id,
        "product": lot.product,
        "code_age_max_s": policy.code_age_max_seconds,
        "skew_s": policy.skew_seconds,
        "exit_denied": str(policy.exit_denied),
        "passback_s": policy.passback_seconds,
        "risk": [
            {
                "ceiling_from": rule.ceiling_from,
                "code_age_from_s": rule.code_age_from_seconds,
                "bundle_age_from_s": rule.bundle_age_from_seconds,
                "outcome": str(rule.outcome),
            }
            for rule in policy.risk
        ],
        "lanes": [{"lane_id": lane.lane_id, "direction": str(lane.direction)} for lane in lanes],
    }
