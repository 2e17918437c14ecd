"""Channel accounts, lots at channels, and notifications in the database."""

from collections.abc import Sequence
from datetime import datetime

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load

SQL = load(__file__)


async def upsert_account(
    conn: Conn, *, channel: str, kind: str, base_url: str, sealed: tuple[bytes, str], now: datetime
) -> bool:
    """`sealed` is the sealed secret and the bill time zone; False when the name belongs to another kind of channel."""
    secret_sealed, bill_time_zone = sealed
    return (
        await conn.fetchval(SQL.upsert_account, channel, kind, base_url, secret_sealed, bill_time_zone, now) is not None
    )


async def read_accounts(conn: Conn) -> list[Row]:
    if not await conn.fetchval(SQL.has_accounts):
        return []
    return await conn.fetch(SQL.read_accounts)


async def insert_lot_channel(conn: Conn, *, lot_id: int, channel: str, state: str, now: datetime) -> bool:
    return await conn.fetchval(SQL.insert_lot_channel, lot_id, channel, state, now) is not None


async def read_lot_channel(conn: Conn, lot_id: int, channel: str) -> str | None:
    state: str | None = await conn.fetchval(SQL.read_lot_channel, lot_id, channel)
    return state


async def read_lot_channels(conn: Conn, pairs: Sequence[tuple[int, str]]) -> dict[tuple[int, str], str]:
    rows = await conn.fetch(SQL.read_lot_channels, [lot_id for lot_id, _ in pairs], [channel for _, channel in pairs])
    return {(row["lot_id"], row["channel"]): row["state"] for row in rows}


async def insert_notification(
    conn: Conn, *, bucket: int, key: tuple[str, str], number: str, body_sha256: bytes, now: datetime
) -> bool:
    """`key` is the channel and its own id of the notification; False when it was taken before."""
    channel, dedup_key = key
    args = (bucket, channel, dedup_key, number, now, body_sha256)
    return await conn.fetchval(SQL.insert_notification, *args) is not None
