"""Connections: one asyncpg pool per process, set up alike everywhere."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from parkflow.db.conn import Conn, Pool
from parkflow.kit.errors import DatabaseUnavailable

CONNECT_TIMEOUT_SECONDS: Final = 10

SERVER_SETTINGS: Final = {
    "TimeZone": "UTC",
    # asyncpg asks the catalogue about array types; Citus makes that slow unless told not to hide shards, and with jit
    # the same question is compiled first. Plain Postgres takes the unknown dotted names as they are.
    "citus.override_table_visibility": "off",
    "citus.propagate_set_commands": "local",
    "jit": "off",
    # A dead client's transaction must not hold row locks for longer than a lease lives.
    "idle_in_transaction_session_timeout": "60s",
}

_UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ClientConfigurationError,
)


@asynccontextmanager
async def open_pool(
    dsn: str, *, size_min: int = 1, size_max: int = 10, application: str = "parkflow"
) -> AsyncIterator[Pool]:
    """A pool for the time of the block. Raises DatabaseUnavailable when the first connection fails."""
    pool = await create_pool(dsn, size_min=size_min, size_max=size_max, application=application)
    try:
        yield pool
    finally:
        await pool.close()


async def create_pool(dsn: str, *, size_min: int = 1, size_max: int = 10, application: str = "parkflow") -> Pool:
    """A pool whose connections speak UTC and read and write `json`/`jsonb` as Python values.

    The caller closes it. Raises DatabaseUnavailable when the first connection fails.
    """
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=size_min,
            max_size=size_max,
            init=_set_codecs,
            reset=_keep_as_is,
            timeout=CONNECT_TIMEOUT_SECONDS,
            server_settings={**SERVER_SETTINGS, "application_name": application},
        )
    except _UNREACHABLE as error:
        raise unavailable(dsn, error) from error
    return cast(Pool, pool)


@asynccontextmanager
async def connected(dsn: str, *, application: str = "parkflow") -> AsyncIterator[Conn]:
    """One connection outside any pool (migrations, commands). Raises DatabaseUnavailable."""
    try:
        conn = await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT_SECONDS,
            server_settings={**SERVER_SETTINGS, "application_name": application},
        )
    except _UNREACHABLE as error:
        raise unavailable(dsn, error) from error
    try:
        await _set_codecs(conn)
        yield cast(Conn, conn)
    finally:
        await conn.close()


def unavailable(dsn: str, error: BaseException) -> DatabaseUnavailable:
    """The one-line refusal for a database that cannot be reached, without the password of its address."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return DatabaseUnavailable(f"no database at {without_password(dsn)}: {reason}")


def without_password(dsn: str) -> str:
    """The address with its password left out, fit for logs and messages."""
    parts = urlsplit(dsn)
    if parts.password is None:
        return dsn
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))


async def _set_codecs(conn: Any) -> None:
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, schema="pg_catalog", encoder=_to_json, decoder=json.loads)


async def _keep_as_is(_conn: Any) -> None:
    """Nothing of ours changes a pooled session, so the usual round trip that resets one at each release is saved."""


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
