"""Fixtures for all tests: a real Postgres, a fresh database for each test, a clock that stands."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import settings as hypothesis_settings

from parkflow.db.conn import Conn, Pool
from parkflow.db.pool import open_pool
from parkflow.db.tx import tx
from parkflow.invariants import checks
from parkflow.servers import Servers
from parkflow.settings import Settings
from tests.embedded import cloned_database, start_with_template, temporary_data_dir
from tests.held_clock import HeldClock

# How long one example takes says more about the machine's load than about the rule.
hypothesis_settings.register_profile("house", deadline=None)
hypothesis_settings.load_profile("house")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The embedded servers of this test session."""
    with temporary_data_dir() as data_dir, contextlib.ExitStack() as stack:
        yield start_with_template(Settings(data_dir=data_dir), stack)


@pytest.fixture
def dsn(servers: Servers) -> Iterator[str]:
    """The address of a fresh migrated database, for this test alone."""
    with cloned_database(servers) as address:
        yield address


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """A pool on this test's database."""
    async with open_pool(dsn) as opened:
        yield opened


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Conn]:
    """A connection in a transaction, which commits when the test is over; use `pool` to see several transactions."""
    async with tx(pool) as connection:
        yield connection


@pytest.fixture
def clock() -> HeldClock:
    """A clock that stands at noon of Friday 2017-10-20 in Charlottesville until the test moves it."""
    return HeldClock(datetime(2017, 10, 20, 16, tzinfo=UTC))


@pytest.fixture
async def check_invariants(pool: Pool, clock: HeldClock) -> AsyncIterator[None]:
    """After the test, every invariant must hold in its database at the instant of its clock."""
    yield
    broken = [found for found in await checks.run(pool, now=clock.now()) if found.violations]
    assert broken == []
