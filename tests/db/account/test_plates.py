"""A plate is found by whoever has seen the car, however it was typed and whenever it was entered."""

import shutil
from pathlib import Path

import pytest

from parkflow.account import service as accounts
from parkflow.db.conn import Conn
from parkflow.db.migrate import FOLDER, migrate
from parkflow.db.pool import connected
from parkflow.kit.ids import bucket_of
from parkflow.servers import Servers
from parkflow.vault import Vault
from tests import seed
from tests.edge import MASTER_KEY
from tests.embedded import other_database

VAULT = Vault(MASTER_KEY)


async def enter(conn: Conn, account_id: int, plate: str) -> None:
    await accounts.add_vehicle(conn, VAULT, account_id=account_id, plate=plate, vehicle_class="car", now=seed.NOW)


@pytest.mark.usefixtures("check_invariants")
async def test_all_who_have_entered_a_plate_are_found_by_it(conn: Conn) -> None:
    one, other = [await seed.account(conn, VAULT, phone=f"+1434555010{number}") for number in (1, 2)]
    await enter(conn, one, "京A·12345")
    await enter(conn, one, "京a 12345")
    await enter(conn, other, "京Ａ１２３４５")
    await enter(conn, other, "XYZ 9")
    shared, own, nobodys = [accounts.plate_key(VAULT, plate) for plate in ("京A12345", "xyz-9", "XYZ 8")]
    found = await accounts.accounts_of_plates(conn, [shared, own, nobodys, own])
    assert found == {shared: sorted([one, other]), own: [other]}


async def test_plates_from_before_the_directory_are_in_it(servers: Servers, dsn: str, tmp_path: Path) -> None:
    name = "before_" + dsn.rpartition("/")[2].partition("?")[0]
    async with connected(servers.database_dsn) as conn:
        await conn.execute(f"create database {name}")
    address = other_database(servers.database_dsn, name)
    [directory] = FOLDER.glob("*_sightings.sql")
    for path in FOLDER.glob("*.sql"):
        if path.name < directory.name:
            shutil.copy(path, tmp_path)
    await migrate(address, tmp_path)
    keys = [accounts.plate_key(VAULT, f"B {number:04d}") for number in range(20)]
    async with connected(address) as conn, conn.transaction():
        account_id = await seed.account(conn, VAULT)
        for key in keys:
            await conn.execute(
                "insert into vehicle (bucket, account_id, plate_index, plate_sealed, created_at)"
                " values ($1, $2, $3, '', $4)",
                bucket_of(account_id),
                account_id,
                key.plate_index,
                seed.NOW,
            )
    shutil.copy(directory, tmp_path)
    await migrate(address, tmp_path)
    async with connected(address) as conn:
        assert await accounts.accounts_of_plates(conn, keys) == {key: [account_id] for key in keys}
