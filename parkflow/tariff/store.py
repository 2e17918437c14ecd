"""The rows of tariff versions and of which lot has which from when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.tariff.rules import Assignment, VersionAt

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """One immutable text of a tariff, named by its hash; valid in [valid_from, valid_to) where it says so."""

    tariff_id: str
    version: int
    sha256: bytes
    currency: str
    time_zone: str
    version_at: VersionAt
    valid_from: datetime | None
    valid_to: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A tariff text that is to become a version."""

    tariff_id: str
    sha256: bytes
    source: str
    currency: str
    time_zone: str
    version_at: VersionAt = VersionAt.ENTRY
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimetableLine:
    """From when on a lot has which version."""

    valid_from: datetime
    tariff_id: str
    version: int
    sha256: bytes


async def insert_version(conn: Conn, operator_id: int, new: NewVersion, now: datetime) -> None:
    """Insert the version and its seal, unless it exists or its number is taken by another; in a transaction."""
    await conn.execute(
        _SQL.insert_version,
        operator_id,
        new.sha256,
        new.tariff_id,
        new.source,
        new.currency,
        new.time_zone,
        new.version_at,
        new.valid_from,
        new.valid_to,
        now,
    )
    await conn.execute(_SQL.seal_version, operator_id, new.sha256)


async def version(conn: Conn, operator_id: int, sha256: bytes) -> TariffVersion | None:
    found = await conn.fetchrow(_SQL.version_row, operator_id, sha256)
    return _version(found) if found else None


async def versions(conn: Conn, operator_id: int) -> list[TariffVersion]:
    """Each tariff's versions, newest first."""
    return [_version(found) for found in await conn.fetch(_SQL.versions, operator_id)]


async def lock_lot(conn: Conn, lot_id: int) -> None:
    """Until the transaction ends, nobody else assigns or cancels a tariff of the lot."""
    await conn.fetchval(_SQL.lock_lot, lot_id)


async def assign(conn: Conn, *, lot_id: int, valid_from: datetime, operator_id: int, sha256: bytes) -> None:
    await conn.execute(_SQL.assign, lot_id, valid_from, operator_id, sha256)


async def cancel(conn: Conn, *, lot_id: int, valid_from: datetime, now: datetime) -> bytes | None:
    """Take back an assignment that has not begun; the hash that it assigned, or None where there is none."""
    found: bytes | None = await conn.fetchval(_SQL.cancel, lot_id, valid_from, now)
    return found


async def assigned(conn: Conn, lot_id: int, at: datetime) -> tuple[datetime | None, bytes | None]:
    """(since when the lot has any tariff, the hash assigned from exactly `at`)."""
    found = await conn.fetchrow(_SQL.assigned, lot_id, at)
    assert found is not None
    return found["first_from"], found["at_that_instant"]


async def assignments(conn: Conn, lot_ids: Sequence[int]) -> dict[int, list[Assignment]]:
    """Per lot its assignments in order of their beginning."""
    by_lot: dict[int, list[Assignment]] = {}
    for found in await conn.fetch(_SQL.assignments, list(lot_ids)):
        one = Assignment(**{**dict(found.items()), "version_at": VersionAt(found["version_at"])})
        by_lot.setdefault(one.lot_id, []).append(one)
    return by_lot


async def timetable(conn: Conn, lot_id: int) -> list[TimetableLine]:
    return [TimetableLine(**dict(found.items())) for found in await conn.fetch(_SQL.timetable, lot_id)]


async def sources(conn: Conn, hashes: Sequence[bytes]) -> dict[bytes, str]:
    return {found["sha256"]: found["source"] for found in await conn.fetch(_SQL.sources, list(hashes))}


def _version(found: Row) -> TariffVersion:
    return TariffVersion(**{**dict(found.items()), "version_at": VersionAt(found["version_at"])})
