"""Limits count the same in Postgres and in Valkey, also when many come at once, and close when the store is gone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from parkflow.db.conn import Pool
from parkflow.limit.fallback import FallbackLimits
from parkflow.limit.port import Limits, LimitsUnavailable
from parkflow.limit.store import PostgresLimits
from parkflow.limit.valkey import ValkeyLimits
from parkflow.servers import Servers
from tests.held_clock import HeldClock

HOUR = timedelta(hours=1)
# A port where nobody listens.
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(params=["postgres", "valkey"])
async def limits(request: pytest.FixtureRequest, pool: Pool, servers: Servers, dsn: str) -> AsyncIterator[Limits]:
    if request.param == "postgres":
        yield PostgresLimits(pool)
        return
    if servers.redis_url is None:
        pytest.skip("no Valkey runs here")
    valkey = ValkeyLimits(servers.redis_url)
    yield valkey
    await valkey.aclose()


@pytest.fixture
def key(dsn: str) -> str:
    """A key of this test alone: Valkey is shared by all tests of a session."""
    return dsn.rpartition("/")[2]


async def test_a_window_slides(limits: Limits, clock: HeldClock, key: str) -> None:
    taken = []
    for minutes in (0, 30, 29, 2, 29, 1):
        clock.advance(minutes=minutes)
        taken.append(await limits.take(key, limit=2, window=HOUR, now=clock.now()))
    # At 0 and 30 two are taken; 59 is full; 61 has room again because 0 has left; 90 takes the place of 30 at 91.
    assert taken == [True, True, False, True, True, False]


async def test_what_is_refused_does_not_count(limits: Limits, clock: HeldClock, key: str) -> None:
    assert await limits.take(key, limit=1, window=HOUR, now=clock.now())
    for _ in range(3):
        clock.advance(minutes=15)
        assert not await limits.take(key, limit=1, window=HOUR, now=clock.now())
    clock.advance(minutes=16)
    assert await limits.take(key, limit=1, window=HOUR, now=clock.now())


async def test_keys_do_not_share_a_window(limits: Limits, clock: HeldClock, key: str) -> None:
    assert await limits.take(f"{key}:a", limit=1, window=HOUR, now=clock.now())
    assert await limits.take(f"{key}:b", limit=1, window=HOUR, now=clock.now())


async def test_of_many_at_once_no_more_than_the_limit_are_let_through(
    limits: Limits, clock: HeldClock, key: str
) -> None:
    taken = await asyncio.gather(*(limits.take(key, limit=3, window=HOUR, now=clock.now()) for _ in range(20)))
    # Valkey may refuse one too many in a race; neither store may let one too many through.
    assert 0 < sum(taken) <= 3


async def test_a_nonce_is_used_once_by_one_of_many(pool: Pool, clock: HeldClock) -> None:
    limits = PostgresLimits(pool)
    taken = await asyncio.gather(*(limits.take("nonce", limit=1, window=HOUR, now=clock.now()) for _ in range(10)))
    assert sum(taken) == 1


async def test_sweeping_forgets_only_what_no_window_reaches(pool: Pool, clock: HeldClock) -> None:
    limits = PostgresLimits(pool)
    await limits.take("old", limit=1, window=HOUR, now=clock.now())
    clock.advance(minutes=59)
    await limits.take("new", limit=1, window=HOUR, now=clock.now())
    clock.advance(minutes=2)
    await limits.sweep(clock.now())
    async with pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from limit_use") == 1
    assert not await limits.take("new", limit=1, window=HOUR, now=clock.now())


async def test_a_limit_that_cannot_be_counted_is_closed(clock: HeldClock) -> None:
    limits = ValkeyLimits(NOWHERE)
    with pytest.raises(LimitsUnavailable):
        await limits.take("any", limit=1, window=HOUR, now=clock.now())
    await limits.aclose()


async def test_while_valkey_is_away_limits_are_counted_in_postgres(pool: Pool, clock: HeldClock) -> None:
    limits = FallbackLimits(ValkeyLimits(NOWHERE), PostgresLimits(pool), clock)
    taken = [await limits.take("key", limit=2, window=HOUR, now=clock.now()) for _ in range(3)]
    assert taken == [True, True, False]
    await limits.sweep(clock.now())
    await limits.aclose()
