"""Rules of connections and transactions."""

from datetime import UTC, datetime

import asyncpg
import pytest

from parkflow.db.conn import Conn, Pool
from parkflow.db.pool import open_pool, without_password
from parkflow.db.tx import DatabaseBusy, in_tx, is_retryable, tx
from parkflow.kit.errors import DatabaseUnavailable


async def test_json_and_instants_are_python_values(conn: Conn) -> None:
    value = {"a": [1, None, "ü"], "b": {"c": True}}
    assert await conn.fetchval("select $1::jsonb", value) == value
    instant = datetime(2017, 10, 20, 16, tzinfo=UTC)
    assert await conn.fetchval("select $1::timestamptz", instant) == instant
    assert await conn.fetchval("show timezone") == "UTC"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:secret@127.0.0.1:1/x",
        "postgresql://u:secret@/x?host=/nowhere",
        "postgresql://u:secret@nohost.invalid/x",
    ],
)
async def test_an_unreachable_database_is_one_clear_line_without_the_password(dsn: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        async with open_pool(dsn):
            pass
    assert "\n" not in caught.value.message
    assert "secret" not in caught.value.message


async def test_a_database_that_does_not_exist_is_unavailable(dsn: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        async with open_pool(dsn.replace("/test_", "/no_test_")):
            pass


def test_an_address_is_shown_without_its_password() -> None:
    assert without_password("postgresql://a:b@h:1/d?x=y") == "postgresql://a:***@h:1/d?x=y"
    assert without_password("postgresql://a@h/d") == "postgresql://a@h/d"


async def test_a_transaction_that_raises_leaves_nothing(pool: Pool) -> None:
    async with tx(pool) as conn:
        await conn.execute("create table cat (lives integer)")

    async def insert_and_fail() -> None:
        async with tx(pool) as conn:
            await conn.execute("insert into cat values (9)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await insert_and_fail()
    async with tx(pool) as conn:
        assert await conn.fetchval("select count(*) from cat") == 0


async def test_work_is_done_again_after_a_deadlock_and_not_after_a_defect(pool: Pool) -> None:
    tried = 0

    async def work(conn: Conn) -> int:
        nonlocal tried
        tried += 1
        if tried < 3:
            raise asyncpg.DeadlockDetectedError("again")
        return int(await conn.fetchval("select 7"))

    assert await in_tx(pool, work) == 7
    assert tried == 3
    assert not is_retryable(asyncpg.UniqueViolationError("twice"))
    assert not is_retryable(ValueError())


async def test_work_that_never_succeeds_is_given_up(pool: Pool) -> None:
    async def work(conn: Conn) -> None:
        raise asyncpg.SerializationError("never")

    with pytest.raises(DatabaseBusy):
        await in_tx(pool, work)
