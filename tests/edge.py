"""The API in the test's own process: services over the test database and an HTTP client without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from parkflow import core
from parkflow.app import create_app
from parkflow.channel.service import Channels
from parkflow.db.conn import Pool
from parkflow.kit.clock import Clock
from parkflow.limit.store import PostgresLimits
from parkflow.services import Services
from parkflow.settings import Settings
from parkflow.vault import Vault

BASE_URL = "http://parkflow.test"
MASTER_KEY = bytes(range(32))


def services_over(pool: Pool, clock: Clock) -> Services:
    """Services with the test's pool and clock, limits in Postgres and no channel."""
    settings = Settings()
    credentials = core.CredentialCache(settings.credential_cache_max)
    return Services(pool, clock, settings, Vault(MASTER_KEY), Channels(), PostgresLimits(pool), credentials)


@asynccontextmanager
async def client_of(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application, errors as problem documents."""
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield client
