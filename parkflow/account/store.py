"""The rows of accounts, their directory, sessions, one-time codes and vehicles."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from parkflow.db.conn import Conn, affected
from parkflow.db.sql import load

_SQL = load(__file__)


class Phone(NamedTuple):
    """Where everything about a phone that has no account yet is kept: its bucket and blind index."""

    bucket: int
    blind_index: bytes


class PlateKey(NamedTuple):
    """A plate, as it is kept and found by whoever has only seen the car."""

    bucket: int
    plate_index: bytes


class SealedVehicle(NamedTuple):
    """A plate as it is stored."""

    plate_sealed: bytes
    vehicle_class: str


async def insert_code(conn: Conn, phone: Phone, *, code_hash: bytes, now: datetime, expires_at: datetime) -> None:
    """Two codes of one instant are one: the second replaces the first."""
    await conn.execute(_SQL.insert_code, phone.bucket, phone.blind_index, now, code_hash, expires_at)


async def newest_code(conn: Conn, phone: Phone) -> datetime | None:
    """The instant that names the newest code of a phone."""
    issued_at: datetime | None = await conn.fetchval(_SQL.newest_code, phone.bucket, phone.blind_index)
    return issued_at


async def count_try(conn: Conn, phone: Phone, issued_at: datetime, *, now: datetime, tries_max: int) -> bytes | None:
    """Count a try and return the code's hash; None when the code is used, expired or tried too often."""
    code_hash: bytes | None = await conn.fetchval(
        _SQL.count_try, phone.bucket, phone.blind_index, issued_at, now, tries_max
    )
    return code_hash


async def use_code(conn: Conn, phone: Phone, issued_at: datetime, *, now: datetime) -> bool:
    """Whether the code had not been used before."""
    return affected(await conn.execute(_SQL.use_code, phone.bucket, phone.blind_index, issued_at, now)) == 1


async def claim_phone(conn: Conn, phone: Phone, *, home_bucket: int, account_id: int) -> bool:
    """Enter a new account for a phone; False when the phone has one."""
    return await conn.fetchval(_SQL.claim_phone, phone.bucket, phone.blind_index, home_bucket, account_id) is not None


async def account_of_phone(conn: Conn, phone: Phone) -> int | None:
    account_id: int | None = await conn.fetchval(_SQL.account_of_phone, phone.bucket, phone.blind_index)
    return account_id


async def insert_account(conn: Conn, *, bucket: int, account_id: int, phone_sealed: bytes, now: datetime) -> None:
    await conn.execute(_SQL.insert_account, bucket, account_id, phone_sealed, now)


async def phones_sealed(conn: Conn, buckets: Sequence[int], account_ids: Sequence[int]) -> dict[int, bytes]:
    """The sealed phone of each account."""
    rows = await conn.fetch(_SQL.phones, buckets, account_ids)
    return {row["account_id"]: row["phone_sealed"] for row in rows}


async def insert_session(
    conn: Conn, *, bucket: int, account_id: int, token_hash: bytes, now: datetime, expires_at: datetime
) -> None:
    await conn.execute(_SQL.insert_session, bucket, token_hash, account_id, now, expires_at)


async def account_of_session(conn: Conn, *, bucket: int, token_hash: bytes, now: datetime) -> int | None:
    account_id: int | None = await conn.fetchval(_SQL.account_of_session, bucket, token_hash, now)
    return account_id


async def end_session(conn: Conn, *, bucket: int, token_hash: bytes, now: datetime) -> None:
    await conn.execute(_SQL.end_session, bucket, token_hash, now)


async def put_vehicle(
    conn: Conn, vehicle: SealedVehicle, *, bucket: int, account_id: int, plate_index: bytes, now: datetime
) -> None:
    """Enter a plate, or its new class when the account has it already."""
    await conn.execute(
        _SQL.insert_vehicle, bucket, account_id, plate_index, vehicle.plate_sealed, vehicle.vehicle_class, now
    )


async def vehicles(conn: Conn, *, bucket: int, account_id: int) -> list[SealedVehicle]:
    """In the order in which they were entered."""
    rows = await conn.fetch(_SQL.vehicles, bucket, account_id)
    return [SealedVehicle(row["plate_sealed"], row["vehicle_class"]) for row in rows]


async def enter_plate(conn: Conn, key: PlateKey, *, home_bucket: int, account_id: int) -> None:
    """The account is one of those that have the plate."""
    await conn.execute(_SQL.enter_plate, key.bucket, key.plate_index, home_bucket, account_id)


async def accounts_of_plates(conn: Conn, plates: Sequence[PlateKey]) -> dict[PlateKey, list[int]]:
    rows = await conn.fetch(
        _SQL.accounts_of_plates, [key.bucket for key in plates], [key.plate_index for key in plates]
    )
    found: dict[PlateKey, list[int]] = {}
    for row in rows:
        found.setdefault(PlateKey(row["bucket"], row["plate_index"]), []).append(row["account_id"])
    return found
