"""The rows of devices, credentials and issuer keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class Device:
    """One phone enrolled on a card."""

    device_id: int
    card_id: int
    public_key: bytes
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credential:
    """An issued credential; `code_secret_sealed` is there exactly when the server makes its codes (no device does).

    `expires_at` is the earlier one of its own end and of its issuer key's.
    """

    card_id: int
    serial: int
    device_id: int | None
    kid: int
    subject: bytes
    code_key: bytes
    code_secret_sealed: bytes | None
    credential: bytes
    issued_at: datetime
    not_before: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredFilter:
    """A deny filter of an operator, over so many subjects."""

    sha256: bytes
    content: bytes
    subjects: int
    built_at: datetime


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A key that signs credentials of one operator and product; the secrets are sealed for `issuer/<kid>`."""

    kid: int
    operator_id: int
    product: int
    public_key: bytes
    secret_sealed: bytes
    subject_key_sealed: bytes
    not_before: datetime
    not_after: datetime


async def insert_device(conn: Conn, device: Device, *, now: datetime) -> bool:
    """False when the key is enrolled already."""
    inserted = await conn.fetchval(
        _SQL.insert_device,
        bucket_of(device.device_id),
        device.device_id,
        device.card_id,
        device.public_key,
        now,
    )
    return inserted is not None


async def device_of_key(conn: Conn, *, bucket: int, public_key: bytes) -> Device | None:
    row = await conn.fetchrow(_SQL.device_of_key, bucket, public_key)
    return _device(row) if row else None


async def device(conn: Conn, device_id: int) -> Device | None:
    row = await conn.fetchrow(_SQL.device, bucket_of(device_id), device_id)
    return _device(row) if row else None


async def count_devices(conn: Conn, card_id: int) -> int:
    count: int = await conn.fetchval(_SQL.count_devices, bucket_of(card_id), card_id)
    return count


async def revoke_device(conn: Conn, *, card_id: int, device_id: int, now: datetime) -> None:
    """Revoke a device of a card and the credentials that it holds; again changes nothing."""
    bucket = bucket_of(card_id)
    await conn.execute(_SQL.revoke_device, bucket, device_id, card_id, now)
    await conn.execute(_SQL.revoke_credentials_of_device, bucket, card_id, device_id, now)


async def insert_credential(conn: Conn, new: Credential) -> None:
    await conn.execute(
        _SQL.insert_credential,
        bucket_of(new.card_id),
        new.card_id,
        new.serial,
        new.device_id,
        new.kid,
        new.subject,
        new.code_key,
        new.code_secret_sealed,
        new.credential,
        new.issued_at,
        new.not_before,
        new.expires_at,
    )


async def credential_of_code_key(conn: Conn, *, bucket: int, code_key: bytes) -> Credential | None:
    row = await conn.fetchrow(_SQL.credential_of_code_key, bucket, code_key)
    return _credential(row) if row else None


async def online_credential(conn: Conn, *, card_id: int, valid_until: datetime) -> Credential | None:
    """The newest one whose codes the server makes and that is valid until then at least."""
    row = await conn.fetchrow(_SQL.online_credential, bucket_of(card_id), card_id, valid_until)
    return _credential(row) if row else None


async def issued_places(
    conn: Conn, card_ids: Sequence[int], serials: Sequence[int], code_keys: Sequence[bytes]
) -> set[int]:
    """The places, counted from 1, of those that were issued."""
    buckets = [bucket_of(card_id) for card_id in card_ids]
    rows = await conn.fetch(_SQL.issued_places, buckets, list(card_ids), list(serials), list(code_keys))
    return {row["place"] for row in rows}


async def denied_subjects(conn: Conn, kids: Sequence[int], *, now: datetime) -> bytes:
    """Joined subjects of 16 bytes, sorted: those of credentials that are valid by their word and may not be used."""
    joined: bytes = await conn.fetchval(_SQL.denied_subjects, kids, now)
    return joined


async def honest_subjects(conn: Conn, kids: Sequence[int], *, now: datetime) -> bytes:
    """Joined subjects of 16 bytes, sorted: those of credentials that may be used."""
    joined: bytes = await conn.fetchval(_SQL.honest_subjects, kids, now)
    return joined


async def is_denied(conn: Conn, *, card_id: int, serial: int, now: datetime) -> bool:
    """True also for a credential that is not there."""
    honest = await conn.fetchval(_SQL.is_honest, bucket_of(card_id), card_id, serial, now)
    return not honest


async def newest_filter(conn: Conn, operator_id: int) -> StoredFilter | None:
    row = await conn.fetchrow(_SQL.newest_filter, operator_id)
    return StoredFilter(row["sha256"], row["content"], row["subjects"], row["built_at"]) if row else None


async def filter_content(conn: Conn, operator_id: int, sha256: bytes) -> bytes | None:
    content: bytes | None = await conn.fetchval(_SQL.filter_content, operator_id, sha256)
    return content


async def insert_filter(conn: Conn, operator_id: int, new: StoredFilter) -> None:
    """Keep a filter; the same one again counts as built anew."""
    await conn.execute(_SQL.insert_filter, operator_id, new.sha256, new.content, new.subjects, new.built_at)


async def delete_filters(conn: Conn, operator_id: int, *, built_before: datetime) -> None:
    await conn.execute(_SQL.delete_filters, operator_id, built_before)


async def insert_issuer_key(conn: Conn, key: IssuerKey, *, now: datetime) -> None:
    """Does nothing when the number is taken."""
    await conn.execute(
        _SQL.insert_issuer_key,
        key.kid,
        key.operator_id,
        key.product,
        key.public_key,
        key.secret_sealed,
        key.subject_key_sealed,
        key.not_before,
        key.not_after,
        now,
    )


async def shorten_issuer_keys(conn: Conn, operator_id: int, *, kids: Sequence[int], not_after: datetime) -> None:
    """Let the windows of these keys end at `not_after` at the latest; those that end earlier stay as they are."""
    await conn.execute(_SQL.shorten_issuer_keys, operator_id, kids, not_after)


async def issuer_keys(conn: Conn, operator_id: int) -> list[IssuerKey]:
    """All that the operator ever had, oldest first."""
    return [_issuer_key(row) for row in await conn.fetch(_SQL.issuer_keys, operator_id)]


async def subject_keys_sealed(conn: Conn, kids: Sequence[int]) -> dict[int, bytes]:
    rows = await conn.fetch(_SQL.subject_keys, kids)
    return {row["kid"]: row["subject_key_sealed"] for row in rows}


def _device(row: Row) -> Device:
    return Device(row["device_id"], row["card_id"], row["public_key"], row["revoked_at"])


def _credential(row: Row) -> Credential:
    return Credential(
        card_id=row["card_id"],
        serial=row["serial"],
        device_id=row["device_id"],
        kid=row["kid"],
        subject=row["subject"],
        code_key=row["code_key"],
        code_secret_sealed=row["code_secret_sealed"],
        credential=row["credential"],
        issued_at=row["issued_at"],
        not_before=row["not_before"],
        expires_at=min(row["expires_at"], row["key_ends_at"]),
        revoked_at=row["revoked_at"],
    )


def _issuer_key(row: Row) -> IssuerKey:
    return IssuerKey(
        kid=row["kid"],
        operator_id=row["operator_id"],
        product=row["product"],
        public_key=row["public_key"],
        secret_sealed=row["secret_sealed"],
        subject_key_sealed=row["subject_key_sealed"],
        not_before=row["not_before"],
        not_after=row["not_after"],
    )
