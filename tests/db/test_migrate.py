"""Rules of migrations: forward only, once each, never changed afterwards."""

import asyncio
import shutil
from pathlib import Path

import pytest

from parkflow.db.migrate import FOLDER, MigrationRefused, migrate, missing, read_folder
from parkflow.db.pool import connected
from parkflow.servers import Servers
from tests.embedded import other_database


@pytest.fixture
async def empty(servers: Servers, dsn: str) -> str:
    """The address of a database without any table."""
    name = "empty_" + dsn.rpartition("/")[2].partition("?")[0]
    async with connected(servers.database_dsn) as conn:
        await conn.execute(f"create database {name}")
    return other_database(servers.database_dsn, name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small migrations."""
    (tmp_path / "0001_cats.sql").write_text("create table cat (name text primary key);")
    (tmp_path / "0002_dogs.sql").write_text("create table dog (name text primary key); insert into dog values ('Rex');")
    return tmp_path


async def test_each_file_is_applied_once(empty: str, folder: Path) -> None:
    assert [migration.name for migration in await migrate(empty, folder)] == ["cats", "dogs"]
    assert await migrate(empty, folder) == []
    (folder / "0003_owls.sql").write_text("create table owl (name text primary key);")
    assert [migration.name for migration in await migrate(empty, folder)] == ["owls"]


async def test_two_that_migrate_at_once_apply_each_file_once(empty: str, folder: Path) -> None:
    applied = await asyncio.gather(*(migrate(empty, folder) for _ in range(4)))
    assert sorted(len(migrations) for migrations in applied) == [0, 0, 0, 2]


async def test_a_file_that_fails_leaves_nothing_of_itself(empty: str, folder: Path) -> None:
    (folder / "0003_owls.sql").write_text("create table owl (name text); select no_such_function();")
    with pytest.raises(MigrationRefused, match="0003_owls failed: function no_such_function"):
        await migrate(empty, folder)
    async with connected(empty) as conn:
        assert await conn.fetchval("select to_regclass('owl')") is None
        assert await conn.fetchval("select count(*) from schema_migration") == 2


async def test_an_applied_file_may_not_change(empty: str, folder: Path) -> None:
    await migrate(empty, folder)
    (folder / "0001_cats.sql").write_text("create table cat (name text primary key, lives integer);")
    with pytest.raises(MigrationRefused, match="0001_cats was changed"):
        await migrate(empty, folder)


async def test_an_applied_file_may_not_vanish(empty: str, folder: Path) -> None:
    await migrate(empty, folder)
    (folder / "0002_dogs.sql").unlink()
    with pytest.raises(MigrationRefused, match="0002_dogs, which this parkflow does not know"):
        await migrate(empty, folder)


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_double.sql", "3_short.sql"])
def test_numbers_have_no_gap_and_no_double(folder: Path, name: str) -> None:
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationRefused):
        read_folder(folder)


async def test_the_shipped_migrations_are_all_applied_in_the_template(dsn: str) -> None:
    async with connected(dsn) as conn:
        assert await missing(conn, FOLDER) == []


async def test_a_file_name_with_other_text_is_refused(empty: str, folder: Path) -> None:
    shutil.copy(folder / "0001_cats.sql", folder / "notes.sql")
    with pytest.raises(MigrationRefused, match=r"notes\.sql"):
        await migrate(empty, folder)
