"""What an edge hands down: the few long-lived things of a process, built once and passed as one value."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from parkflow import core
from parkflow.channel.service import Channels, load_channels
from parkflow.db.conn import Pool
from parkflow.db.pool import open_pool
from parkflow.kit.clock import Clock
from parkflow.limit.fallback import FallbackLimits
from parkflow.limit.port import Limits
from parkflow.limit.store import PostgresLimits
from parkflow.limit.valkey import ValkeyLimits
from parkflow.settings import Settings, master_key
from parkflow.vault import Vault


@dataclass(frozen=True, slots=True)
class Services:
    """The long-lived things of one process; nothing in it belongs to one request."""

    pool: Pool
    clock: Clock
    settings: Settings
    vault: Vault
    channels: Channels
    limits: Limits
    credentials: core.CredentialCache
    """Credentials whose issuer signature was verified in this process; a card's exit then costs one signature."""


@asynccontextmanager
async def open_services(
    settings: Settings, *, clock: Clock, database_dsn: str, redis_url: str | None, application: str
) -> AsyncIterator[Services]:
    """The services of a process for the time of the block.

    Limits are counted in Valkey where `redis_url` names one, and in Postgres while that does not answer.
    Raises DatabaseUnavailable.
    """
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(database_dsn, size_max=settings.pool_size_max, application=application)
        )
        vault = Vault(master_key(settings))
        limits = _limits(pool, clock, redis_url)
        stack.push_async_callback(limits.aclose)
        channels = await load_channels(pool, vault, clock=clock, timeout_seconds=settings.channel_timeout_seconds)
        stack.push_async_callback(channels.aclose)
        credentials = core.CredentialCache(settings.credential_cache_max)
        yield Services(pool, clock, settings, vault, channels, limits, credentials)


def _limits(pool: Pool, clock: Clock, redis_url: str | None) -> Limits:
    if redis_url is None:
        return PostgresLimits(pool)
    return FallbackLimits(ValkeyLimits(redis_url), PostgresLimits(pool), clock)
