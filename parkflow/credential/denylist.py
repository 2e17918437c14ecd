"""Who is denied at the gates: exact lists for the newest changes, a filter over the many others."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from parkflow import core
from parkflow.credential import store
from parkflow.credential.keys import SealedScan, live_kids, open_scans
from parkflow.credential.rules import DENY_LIMITS, DenyLimits, filter_is_due
from parkflow.credential.store import StoredFilter
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound
from parkflow.vault import Vault

# A bundle lives 72 hours, and a gate may ask for its filter up to the end.
FILTER_KEPT: Final = timedelta(hours=96)


class FilterUnknown(NotFound):
    """There is no such deny filter (any more); fetch the newest bundle, which names the one to use."""

    code = "deny_filter_unknown"


@dataclass(frozen=True, slots=True)
class DenyListing:
    """What a bundle says of denied subjects; both lists are joined subjects of 16 bytes, sorted."""

    filter: StoredFilter | None
    denied: bytes
    cleared: bytes


async def listing(conn: Conn, operator_id: int, *, now: datetime, limits: DenyLimits = DENY_LIMITS) -> DenyListing:
    """The operator's denied subjects now; builds and keeps a new filter first when the exact lists grew too long.

    With a filter, what it does not hit is denied exactly, and honest credentials that it hits are cleared, so that no
    driver is turned away by chance at a gate without network.
    """
    kids = await live_kids(conn, operator_id, now=now)
    denied = await store.denied_subjects(conn, kids, now=now)
    known = await store.newest_filter(conn, operator_id)
    stored, built = known, _decoded(known)
    exact = denied if built is None else built.misses_among(denied)
    age = None if known is None else now - known.built_at
    if filter_is_due(denied=_count(denied), exact=_count(exact), filter_age=age, limits=limits):
        stored, built = await _build(conn, operator_id, denied, now=now)
        exact = built.misses_among(denied)
    elif _count(denied) <= limits.exact_max:
        stored, built, exact = None, None, denied
    if built is None:
        return DenyListing(None, denied, b"")
    honest = await store.honest_subjects(conn, kids, now=now)
    cleared = built.hits_among(honest)[: limits.cleared_max * core.SUBJECT_BYTES]
    return DenyListing(stored, exact, cleared)


async def filter_content(conn: Conn, operator_id: int, sha256: bytes) -> bytes:
    """The bytes of the operator's filter of that hash. Raises FilterUnknown."""
    found = await store.filter_content(conn, operator_id, sha256)
    if found is None:
        raise FilterUnknown
    return found


async def is_denied(conn: Conn, vault: Vault, operator_id: int, scan: SealedScan, *, now: datetime) -> bool:
    """The exact answer for a gate whose filter hits; a credential that was never issued is denied."""
    if scan.kid not in await live_kids(conn, operator_id, now=now):
        return True
    [subject] = await open_scans(conn, vault, [scan])
    return subject is None or await store.is_denied(conn, card_id=subject.card_id, serial=subject.serial, now=now)


async def _build(conn: Conn, operator_id: int, denied: bytes, *, now: datetime) -> tuple[StoredFilter, core.DenyFilter]:
    built = core.DenyFilter.build(denied)
    stored = StoredFilter(built.sha256, bytes(built), _count(denied), now)
    await store.insert_filter(conn, operator_id, stored)
    await store.delete_filters(conn, operator_id, built_before=now - FILTER_KEPT)
    return stored, built


def _decoded(stored: StoredFilter | None) -> core.DenyFilter | None:
    return None if stored is None else core.DenyFilter.decode(stored.content)


def _count(joined: bytes) -> int:
    return len(joined) // core.SUBJECT_BYTES
