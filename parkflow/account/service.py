"""Drivers' accounts: log-in by one-time code, sessions, plates, and how a driver is reached."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parkflow.account import store
from parkflow.account.rules import new_one_time_code, normal_phone, normal_plate
from parkflow.account.store import Phone, PlateKey, SealedVehicle
from parkflow.db.conn import Conn
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import BUCKETS, bucket_of, derived_bucket, new_bucket, new_id
from parkflow.limit.port import Limits
from parkflow.notice import service as notices
from parkflow.notice.service import Message, Notice
from parkflow.settings import Settings
from parkflow.vault import Vault

__all__ = ["PlateKey"]

ID_PREFIX: Final = "acc"
NOTICE_KIND: Final = "one_time_code"
_TOKEN: Final = re.compile(r"pfs_[A-Za-z0-9_-]{46}")
# 256 random bits, so a plain hash of them needs no salt; two bytes before them say where to look.
_TOKEN_RANDOM_BYTES: Final = 32
_TOKEN_BUCKET_BYTES: Final = 2


class TooManyCodes(ParkflowError):
    """Too many one-time codes were asked for this phone; wait an hour and ask again."""

    code = "too_many_one_time_codes"
    status = 429


class OneTimeCodeRefused(ParkflowError):
    """The one-time code is wrong, used, too old or was tried too often; ask for a new one."""

    code = "one_time_code_refused"
    status = 401


class SessionRefused(ParkflowError):
    """A valid session is needed: `Authorization: Bearer …` with the token of POST /v1/driver/sessions."""

    code = "session_refused"
    status = 401


class Session(NamedTuple):
    """A log-in; the token is shown only now."""

    token: str
    account_id: int
    expires_at: datetime


class Vehicle(NamedTuple):
    """A plate of a driver."""

    plate: str
    vehicle_class: str


async def take_code_limits(limits: Limits, vault: Vault, settings: Settings, *, phone: str, now: datetime) -> None:
    """Count one request for a code. Raises TooManyCodes, InvalidPhone, LimitsUnavailable.

    Outside the transaction, so that a request counts also when the rest fails.
    """
    key = "one-time-code:" + _phone(vault, normal_phone(phone)).blind_index.hex()
    for limit, window in (
        (settings.otp_per_hour_max, timedelta(hours=1)),
        (settings.otp_per_day_max, timedelta(days=1)),
    ):
        if not await limits.take(f"{key}:{window}", limit=limit, window=window, now=now):
            raise TooManyCodes


async def send_code(conn: Conn, vault: Vault, settings: Settings, *, phone: str, now: datetime) -> datetime:
    """Make a one-time code and put its notice into the outbox; returns when the code expires.

    Nothing here depends on whether the phone has an account, so the answer cannot tell.
    """
    number = normal_phone(phone)
    place = _phone(vault, number)
    one_time_code = new_one_time_code(settings.otp_digits)
    expires_at = now + timedelta(minutes=settings.otp_lifetime_minutes)
    code_hash = _code_hash(vault, place, one_time_code)
    await store.insert_code(conn, place, code_hash=code_hash, now=now, expires_at=expires_at)
    message = Message(place.bucket, number, one_time_code)
    await notices.enqueue(conn, vault, [message], kind=NOTICE_KIND, now=now)
    return expires_at


async def log_in(
    conn: Conn, vault: Vault, settings: Settings, *, phone: str, one_time_code: str, now: datetime
) -> Session | None:
    """A session for the phone's account, made at its first log-in; None for a wrong code.

    The caller commits also after None: the try counts.
    """
    number = normal_phone(phone)
    place = _phone(vault, number)
    if not await _use_code(conn, vault, settings, place, one_time_code=one_time_code, now=now):
        return None
    account_id = await account_of(conn, vault, phone=number, now=now)
    return await open_session(conn, account_id, lifetime_days=settings.session_lifetime_days, now=now)


async def account_of(conn: Conn, vault: Vault, *, phone: str, now: datetime) -> int:
    """The account of a phone that has proved itself; made when it has none. Raises InvalidPhone."""
    number = normal_phone(phone)
    place = _phone(vault, number)
    known = await store.account_of_phone(conn, place)
    if known is not None:
        return known
    bucket = new_bucket()
    account_id = new_id(bucket)
    if await store.claim_phone(conn, place, home_bucket=bucket, account_id=account_id):
        sealed = vault.seal("account/phone", number.encode())
        await store.insert_account(conn, bucket=bucket, account_id=account_id, phone_sealed=sealed, now=now)
        return account_id
    # Another log-in with the same phone was first; its row is committed, or the claim would still wait.
    other = await store.account_of_phone(conn, place)
    assert other is not None, "a phone that cannot be claimed has an account"
    return other


async def open_session(conn: Conn, account_id: int, *, lifetime_days: int, now: datetime) -> Session:
    """A session for an account that has proved who it is."""
    token, token_hash = _new_token(bucket_of(account_id))
    expires_at = now + timedelta(days=lifetime_days)
    await store.insert_session(
        conn,
        bucket=bucket_of(account_id),
        account_id=account_id,
        token_hash=token_hash,
        now=now,
        expires_at=expires_at,
    )
    return Session(token, account_id, expires_at)


async def authenticate(conn: Conn, token: str, *, now: datetime) -> int:
    """The account of a session token. Raises SessionRefused."""
    bucket, token_hash = _place_of_token(token)
    account_id = await store.account_of_session(conn, bucket=bucket, token_hash=token_hash, now=now)
    if account_id is None:
        raise SessionRefused
    return account_id


async def log_out(conn: Conn, token: str, *, now: datetime) -> None:
    """End the session of a token; ending it twice changes nothing. Raises SessionRefused for what is no token."""
    bucket, token_hash = _place_of_token(token)
    await store.end_session(conn, bucket=bucket, token_hash=token_hash, now=now)


async def add_vehicle(
    conn: Conn, vault: Vault, *, account_id: int, plate: str, vehicle_class: str, now: datetime
) -> Vehicle:
    """Enter a plate, or change the class of one that is there. Raises InvalidPlate."""
    plain = normal_plate(plate)
    key = plate_key(vault, plain)
    await store.put_vehicle(
        conn,
        SealedVehicle(vault.seal("account/plate", plain.encode()), vehicle_class),
        bucket=bucket_of(account_id),
        account_id=account_id,
        plate_index=key.plate_index,
        now=now,
    )
    # In the same transaction: a plate that a driver has entered is found by whoever sees it.
    await store.enter_plate(conn, key, home_bucket=bucket_of(account_id), account_id=account_id)
    return Vehicle(plain, vehicle_class)


def plate_key(vault: Vault, plate: str) -> PlateKey:
    """Where a plate is kept and by what it is found, however it is written. Raises InvalidPlate."""
    plate_index = vault.blind_index("account/plate", normal_plate(plate).encode())
    return PlateKey(derived_bucket(plate_index), plate_index)


async def accounts_of_plates(conn: Conn, plates: Sequence[PlateKey]) -> dict[PlateKey, list[int]]:
    """The accounts that have entered each plate; several may share a car, and most cars are nobody's."""
    return await store.accounts_of_plates(conn, sorted(set(plates))) if plates else {}


async def vehicles(conn: Conn, vault: Vault, *, account_id: int) -> list[Vehicle]:
    """The driver's plates."""
    rows = await store.vehicles(conn, bucket=bucket_of(account_id), account_id=account_id)
    return [Vehicle(vault.open("account/plate", row.plate_sealed).decode(), row.vehicle_class) for row in rows]


async def phones(conn: Conn, vault: Vault, account_ids: Sequence[int]) -> dict[int, str]:
    """The phone of each account, for notices."""
    ordered = sorted(set(account_ids))
    sealed = await store.phones_sealed(conn, [bucket_of(ident) for ident in ordered], ordered)
    return {ident: vault.open("account/phone", value).decode() for ident, value in sealed.items()}


async def newest_code_notice(conn: Conn, vault: Vault, *, phone: str) -> Notice | None:
    """The newest notice with a one-time code for a phone; needs the master key, for demonstrations and support."""
    number = normal_phone(phone)
    bucket = _phone(vault, number).bucket
    return await notices.newest_to(conn, vault, bucket=bucket, kind=NOTICE_KIND, recipient=number)


async def _use_code(
    conn: Conn, vault: Vault, settings: Settings, phone: Phone, *, one_time_code: str, now: datetime
) -> bool:
    # The hash is made before looking, so that a phone without a code takes as long as one with a code.
    given = _code_hash(vault, phone, one_time_code)
    issued_at = await store.newest_code(conn, phone)
    if issued_at is None:
        return False
    wanted = await store.count_try(conn, phone, issued_at, now=now, tries_max=settings.otp_tries_max)
    if wanted is None or not hmac.compare_digest(wanted, given):
        return False
    return await store.use_code(conn, phone, issued_at, now=now)


def _phone(vault: Vault, number: str) -> Phone:
    blind_index = vault.blind_index("account/phone", number.encode())
    return Phone(derived_bucket(blind_index), blind_index)


def _code_hash(vault: Vault, phone: Phone, one_time_code: str) -> bytes:
    # Keyed: a million plain hashes of six digits are tried in a blink.
    return vault.blind_index("account/one-time-code", phone.blind_index + one_time_code.encode())


def _new_token(bucket: int) -> tuple[str, bytes]:
    raw = bucket.to_bytes(_TOKEN_BUCKET_BYTES, "big") + secrets.token_bytes(_TOKEN_RANDOM_BYTES)
    return "pfs_" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), hashlib.sha256(raw).digest()


def _place_of_token(token: str) -> tuple[int, bytes]:
    if not _TOKEN.fullmatch(token):
        raise SessionRefused
    raw = base64.urlsafe_b64decode(token.removeprefix("pfs_") + "==")
    bucket = int.from_bytes(raw[:_TOKEN_BUCKET_BYTES], "big")
    if bucket >= BUCKETS:
        raise SessionRefused
    return bucket, hashlib.sha256(raw).digest()
