"""Issuer keys: which one signs now, the next one in time or at once, the end of one, opening the seal in a code."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parkflow import core
from parkflow.credential import store
from parkflow.credential.store import IssuerKey
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import ID_LIMIT, bucket_of, derived_id
from parkflow.vault import Vault

__all__ = ["IssuerKey"]

KEY_LIFETIME: Final = timedelta(days=90)
# The next key is made this long before the end of the last, so that it has reached all gates when it is first used.
KEY_OVERLAP: Final = timedelta(days=10)
# The largest lifetime that the code format can be given; no credential outlives its key.
CREDENTIAL_LIFETIME_MAX: Final = timedelta(hours=72)
_KEY_SLACK: Final = timedelta(minutes=5)
# The oldest code that any lot's policy takes (age of an hour, clocks ten minutes apart).
_CODE_AGE_MAX: Final = timedelta(minutes=70)
_SUBJECT_KEY_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_KID_BITS: Final = 32
_KID_TRIES_MAX: Final = 8
_NO_FREE_KID: Final = "a free number for a key is found within a few tries"


@dataclass(frozen=True, slots=True)
class Signer:
    """An issuer key with its secrets, opened for one use."""

    kid: int
    product: int
    secret: bytes
    subject_key: bytes


class UnknownKid(NotFound):
    """The operator has no issuer key of this number for this product; `parkflow keys list` shows them."""

    code = "unknown_issuer_key"


class SealedScan(NamedTuple):
    """The card reference in a code as a gate sees it."""

    kid: int
    subject: bytes


class ScanSubject(NamedTuple):
    """Whose code it is."""

    bucket: int
    card_id: int
    serial: int


async def ensure_issuer_key(
    conn: Conn, vault: Vault, operator_id: int, *, now: datetime, product: int = core.PRODUCT_PARKING
) -> IssuerKey:
    """The key that signs for the operator and product now; the next one is made well before it is needed."""
    for attempt in range(_KID_TRIES_MAX):
        keys = await issuer_keys(conn, operator_id, product=product)
        signing = signing_key(keys, now=now)
        if signing is not None and any(now + KEY_OVERLAP < key.not_after for key in keys):
            return signing
        await _insert_next(conn, vault, operator_id, product=product, number=len(keys) + attempt, now=now)
    raise AssertionError(_NO_FREE_KID)


def signing_key(keys: Iterable[IssuerKey], *, now: datetime) -> IssuerKey | None:
    """Which of one product's keys signs now: the oldest that still outlives its credentials.

    Not the newest: a new key is used only when every gate has it.
    """
    usable = [key for key in keys if key.not_before <= now and now + CREDENTIAL_LIFETIME_MAX < key.not_after]
    return min(usable, key=lambda key: (key.not_after, key.not_before, key.kid), default=None)


async def issuer_keys(conn: Conn, operator_id: int, *, product: int | None = None) -> list[IssuerKey]:
    """All keys that the operator ever had, oldest first; of one product, or of all."""
    return [key for key in await store.issuer_keys(conn, operator_id) if product in (None, key.product)]


async def rotate_issuer_key(conn: Conn, vault: Vault, operator_id: int, *, product: int, now: datetime) -> IssuerKey:
    """Make the next key now, and let every older one end when the new one has reached all gates.

    Nothing that was issued becomes worthless: older keys keep KEY_OVERLAP, longer than any credential lives, and the
    new key takes over as always, when the older ones no longer outlive a credential. Two that rotate at once make one
    key.
    """
    before = {key.kid for key in await issuer_keys(conn, operator_id, product=product)}
    for attempt in range(_KID_TRIES_MAX):
        await _insert_next(conn, vault, operator_id, product=product, number=len(before) + attempt, now=now)
        made = [key for key in await issuer_keys(conn, operator_id, product=product) if key.kid not in before]
        if made:
            await store.shorten_issuer_keys(conn, operator_id, kids=sorted(before), not_after=now + KEY_OVERLAP)
            return made[-1]
    raise AssertionError(_NO_FREE_KID)


async def retire_issuer_key(conn: Conn, operator_id: int, *, product: int, kid: int, now: datetime) -> IssuerKey:
    """End a leaked key's window now; the key with its end, which is an earlier one if it had ended before.

    Nothing is signed with it any more, and a gate refuses its codes of later moments (`kid_expired`) as soon as it has
    the next bundle. Codes of earlier moments stay good for the scans of their time. Raises UnknownKid.
    """
    kids = [key.kid for key in await issuer_keys(conn, operator_id, product=product)]
    if kid not in kids:
        raise UnknownKid(f"the operator has no issuer key {kid} for this product; it has {', '.join(map(str, kids))}")
    await store.shorten_issuer_keys(conn, operator_id, kids=[kid], not_after=now.replace(microsecond=0))
    [retired] = [key for key in await issuer_keys(conn, operator_id) if key.kid == kid]
    return retired


def open_signer(vault: Vault, key: IssuerKey) -> Signer:
    """The key's secrets."""
    return Signer(
        kid=key.kid,
        product=key.product,
        secret=vault.open_secret(_owner(key.kid), key.secret_sealed),
        subject_key=vault.open_secret(_subject_owner(key.kid), key.subject_key_sealed),
    )


async def key_set(conn: Conn, operator_id: int) -> list[core.IssuerKey]:
    """All keys of the operator with their windows, past ones too: a scan is checked against its own time."""
    return [_public(key) for key in await store.issuer_keys(conn, operator_id)]


def verifying_keys(vault: Vault, keys: Sequence[IssuerKey]) -> tuple[core.KeySet, core.SubjectKeys]:
    """What verifies the codes of these keys, and what opens the subjects in them."""
    opening = {key.kid: vault.open_secret(_subject_owner(key.kid), key.subject_key_sealed) for key in keys}
    return core.KeySet([_public(key) for key in keys]), core.SubjectKeys(opening)


async def open_scans(conn: Conn, vault: Vault, scans: Sequence[SealedScan]) -> list[ScanSubject | None]:
    """Whose code each scan is, in the order given, without looking up any card; None where it cannot be a card's.

    Only for codes whose signatures were verified: the seal hides a card, it does not prove one.
    """
    subject_keys = await _subject_keys(conn, vault, {scan.kid for scan in scans})
    return [_opened(subject_keys.get(scan.kid), scan.subject) for scan in scans]


async def were_issued(conn: Conn, scans: Sequence[tuple[ScanSubject, bytes]]) -> list[bool]:
    """Whether each credential, named by its subject and its code key, is one of ours.

    A stolen issuer key makes credentials that verify; only this look-up tells them from those that were issued.
    """
    subjects = [subject for subject, _ in scans]
    places = await store.issued_places(
        conn,
        [subject.card_id for subject in subjects],
        [subject.serial for subject in subjects],
        [code_key for _, code_key in scans],
    )
    return [place in places for place in range(1, len(scans) + 1)]


async def live_kids(conn: Conn, operator_id: int, *, now: datetime) -> list[int]:
    """The kids of the operator under which a code may still be good: what gates need to know."""
    # A key that was ended early leaves codes of earlier moments, which are good until they are too old.
    return [key.kid for key in await store.issuer_keys(conn, operator_id) if key.not_after + _CODE_AGE_MAX > now]


def _public(key: IssuerKey) -> core.IssuerKey:
    return core.IssuerKey(
        key.kid,
        key.public_key,
        key.operator_id,
        key.product,
        int(key.not_before.timestamp()),
        int(key.not_after.timestamp()),
    )


async def _subject_keys(conn: Conn, vault: Vault, kids: Iterable[int]) -> dict[int, bytes]:
    sealed = await store.subject_keys_sealed(conn, sorted(kids))
    return {kid: vault.open_secret(_subject_owner(kid), value) for kid, value in sealed.items()}


def _opened(subject_key: bytes | None, subject: bytes) -> ScanSubject | None:
    if subject_key is None:
        return None
    card_id, serial = core.open_subject(subject_key, subject)
    if card_id >= ID_LIMIT or serial >= ID_LIMIT:
        return None
    return ScanSubject(bucket_of(card_id), card_id, serial)


async def _insert_next(conn: Conn, vault: Vault, operator_id: int, *, product: int, number: int, now: datetime) -> None:
    # The number follows from how many there are, so that two that come here at once make one key.
    kid = _kid(operator_id, product, number)
    await store.insert_issuer_key(conn, _new_key(vault, kid, operator_id, product, now), now=now)


def _new_key(vault: Vault, kid: int, operator_id: int, product: int, now: datetime) -> IssuerKey:
    secret = secrets.token_bytes(_SECRET_BYTES)
    return IssuerKey(
        kid=kid,
        operator_id=operator_id,
        product=product,
        public_key=core.public_key(secret),
        secret_sealed=vault.seal_secret(_owner(kid), secret),
        subject_key_sealed=vault.seal_secret(_subject_owner(kid), secrets.token_bytes(_SUBJECT_KEY_BYTES)),
        # A credential begins a little before it is asked for, and must not begin before its key.
        not_before=now - _KEY_SLACK,
        not_after=now + KEY_LIFETIME,
    )


def _kid(operator_id: int, product: int, number: int) -> int:
    parts = (b"issuer-key", operator_id.to_bytes(8, "big"), bytes([product]), number.to_bytes(4, "big"))
    return derived_id(0, *parts) % ((1 << _KID_BITS) - 1) + 1


def _owner(kid: int) -> str:
    return f"issuer/{kid}"


def _subject_owner(kid: int) -> str:
    return f"issuer/{kid}/subject"
