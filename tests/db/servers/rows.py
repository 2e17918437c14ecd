"""Rows in a table of their own, to see whether a server kept them."""

from parkflow.db.pool import connected


async def add_row(dsn: str) -> None:
    """Add one row, making the table if need be (several processes may do so at once)."""
    async with connected(dsn) as conn, conn.transaction():
        await conn.execute("select pg_advisory_xact_lock(1)")
        await conn.execute("create table if not exists kept (at timestamptz default now())")
        await conn.execute("insert into kept default values")


async def count_rows(dsn: str) -> int:
    """How many rows there are."""
    async with connected(dsn) as conn:
        return int(await conn.fetchval("select count(*) from kept"))
