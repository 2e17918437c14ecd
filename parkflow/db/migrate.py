"""Migrations: forward-only SQL files, each applied once in its own transaction, under one lock."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from parkflow.db.conn import Conn
from parkflow.db.pool import connected
from parkflow.db.sql import load
from parkflow.kit.errors import ParkflowError

SQL = load(__file__)
FOLDER: Final = Path(__file__).with_name("migrations")
_FILE_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class MigrationRefused(ParkflowError):
    """The database's schema and the migration files do not belong together."""

    code = "migration_refused"
    status = 500


class MigrationsMissing(ParkflowError):
    """The database lacks migrations; run `parkflow migrate` first."""

    code = "migrations_missing"
    status = 503


@dataclass(frozen=True)
class Migration:
    """One file: `NNNN_what.sql`."""

    version: int
    name: str
    statements: str

    @property
    def sha256(self) -> str:
        """Over the file's text; an applied file may never change again."""
        return hashlib.sha256(self.statements.encode()).hexdigest()


async def migrate(dsn: str, folder: Path = FOLDER) -> list[Migration]:
    """Apply what is missing and return it; on Citus give the coordinator's address.

    Raises MigrationRefused when an applied file has changed or is missing, or when a file fails; DatabaseUnavailable.
    """
    async with connected(dsn, application="parkflow migrate") as conn:
        await conn.execute(SQL.lock_migrations)
        try:
            return await _apply_missing(conn, read_folder(folder))
        finally:
            await conn.execute(SQL.unlock_migrations)


async def missing(conn: Conn, folder: Path = FOLDER) -> list[Migration]:
    """What `migrate` would apply. Raises MigrationRefused; the migration table must exist."""
    return _missing(read_folder(folder), await _applied(conn))


def read_folder(folder: Path) -> list[Migration]:
    """The migrations of a folder in order. Raises MigrationRefused for a wrong name or a gap in the numbers."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationRefused(f"{path.name} is not named like 0007_what.sql")
        migrations.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    numbers = [migration.version for migration in migrations]
    if numbers != list(range(1, len(numbers) + 1)):
        raise MigrationRefused(f"migrations must be numbered 1, 2, 3 … without gap or double, not {numbers}")
    return migrations


async def _apply_missing(conn: Conn, migrations: Sequence[Migration]) -> list[Migration]:
    await conn.execute(SQL.create_migration_table)
    todo = _missing(migrations, await _applied(conn))
    for migration in todo:
        try:
            async with conn.transaction():
                await conn.execute(migration.statements)
                await conn.execute(SQL.record_migration, migration.version, migration.name, migration.sha256)
        except asyncpg.PostgresError as error:
            raise MigrationRefused(f"migration {migration.version:04}_{migration.name} failed: {error}") from error
    return todo


async def _applied(conn: Conn) -> dict[int, tuple[str, str]]:
    rows = await conn.fetch(SQL.applied_migrations)
    return {row["version"]: (row["name"], row["sha256"]) for row in rows}


def _missing(migrations: Sequence[Migration], applied: dict[int, tuple[str, str]]) -> list[Migration]:
    known = {migration.version: migration for migration in migrations}
    for version, (name, sha256) in applied.items():
        if version not in known:
            raise MigrationRefused(f"the database has migration {version:04}_{name}, which this parkflow does not know")
        if known[version].sha256 != sha256:
            raise MigrationRefused(f"migration {version:04}_{name} was changed after it was applied; add a new one")
    return [migration for migration in migrations if migration.version not in applied]
