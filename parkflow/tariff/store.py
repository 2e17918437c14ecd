"""The rows of tariff versions and of which lot has which from when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parkflow.db.conn import Conn
from parkflow.db.sql import load

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """One immutable text of a tariff, named by its hash."""

    tariff_id: str
    version: int
    sha256: bytes
    currency: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A tariff text that is to become a version."""

    tariff_id: str
    sha256: bytes
    source: str
    currency: str
    time_zone: str


async def insert_version(conn: Conn, operator_id: int, new: NewVersion, now: datetime) -> None:
    await conn.execute(
        _SQL.insert_version, operator_id, new.sha256, new.tariff_id, new.source, new.currency, new.time_zone, now
    )


async def version(conn: Conn, operator_id: int, sha256: bytes) -> TariffVersion | None:
    found = await conn.fetchrow(_SQL.version_row, operator_id, sha256)
    return TariffVersion(**dict(found.items())) if found else None


async def assign(conn: Conn, *, lot_id: int, valid_from: datetime, operator_id: int, sha256: bytes) -> None:
    await conn.execute(_SQL.assign, lot_id, valid_from, operator_id, sha256)


async def assigned(conn: Conn, lot_id: int, at: datetime) -> tuple[datetime | None, bytes | None]:
    """(since when the lot has any tariff, the hash assigned from exactly `at`)."""
    found = await conn.fetchrow(_SQL.assigned, lot_id, at)
    assert found is not None
    return found["first_from"], found["at_that_instant"]


async def in_force(conn: Conn, lot_ids: Sequence[int], ats: Sequence[datetime]) -> list[bytes | None]:
    return [found["sha256"] for found in await conn.fetch(_SQL.in_force, list(lot_ids), list(ats))]


async def sources(conn: Conn, hashes: Sequence[bytes]) -> dict[bytes, str]:
    return {found["sha256"]: found["source"] for found in await conn.fetch(_SQL.sources, list(hashes))}
