"""Rules of leases: at any time a bucket has one owner, and an epoch tells two holdings apart."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import in_tx, tx
from parkflow.jobs.lease import ALL_BUCKETS, Leases, count_live_owners, fair_share, new_owner
from parkflow.kit.ids import BUCKETS

WALL = datetime(2026, 1, 1, tzinfo=UTC)
LIFETIME = timedelta(seconds=15)


def worker() -> Leases:
    return Leases(new_owner(), LIFETIME)


async def test_a_lone_worker_gets_every_bucket(pool: Pool) -> None:
    one = worker()
    async with tx(pool) as conn:
        assert await one.acquire(conn, WALL) == list(ALL_BUCKETS)
        assert one.epochs == [1] * BUCKETS
        assert await one.acquire(conn, WALL) == []


async def test_what_is_held_is_not_given_to_another(pool: Pool) -> None:
    one, other = worker(), worker()
    async with tx(pool) as conn:
        await one.acquire(conn, WALL, range(600))
        assert await other.acquire(conn, WALL + LIFETIME / 2) == list(range(600, BUCKETS))
        assert await count_live_owners(conn, WALL) == 2


async def test_a_dead_workers_buckets_are_taken_when_their_time_is_over(pool: Pool) -> None:
    dead, heir = worker(), worker()
    async with tx(pool) as conn:
        await dead.acquire(conn, WALL)
        assert await heir.acquire(conn, WALL + LIFETIME - timedelta(microseconds=1)) == []
        assert await heir.acquire(conn, WALL + LIFETIME) == list(ALL_BUCKETS)
        assert set(heir.epochs) == {2}
        assert not dead.are_valid(WALL + LIFETIME)
        assert await dead.renew(conn, WALL + LIFETIME) == list(ALL_BUCKETS)
        assert dead.buckets == []


async def test_a_renewed_lease_lives_on(pool: Pool) -> None:
    one, other = worker(), worker()
    async with tx(pool) as conn:
        await one.acquire(conn, WALL, range(8))
        assert await one.renew(conn, WALL + LIFETIME / 2) == []
        assert await other.acquire(conn, WALL + LIFETIME, range(8)) == []
        assert one.are_valid(WALL + LIFETIME)


async def test_what_is_released_is_free_at_once(pool: Pool) -> None:
    one, other = worker(), worker()
    async with tx(pool) as conn:
        await one.acquire(conn, WALL, range(8))
        await one.release(conn, WALL, [3, 4])
        assert one.buckets == [0, 1, 2, 5, 6, 7]
        assert await other.acquire(conn, WALL, range(8)) == [3, 4]
        await one.release(conn, WALL)
        assert await other.acquire(conn, WALL, range(8)) == [0, 1, 2, 5, 6, 7]


async def test_racing_workers_never_own_one_bucket_at_once(pool: Pool) -> None:
    workers = [worker() for _ in range(6)]

    async def grab(leases: Leases, wall: datetime) -> None:
        async def work(conn: Conn) -> None:
            await leases.renew(conn, wall)
            await leases.acquire(conn, wall)

        await in_tx(pool, work)

    for turn in range(4):
        # Each turn begins when all that was held has run out, so that all fight for all.
        wall = WALL + turn * LIFETIME
        await asyncio.gather(*(grab(leases, wall) for leases in workers))
        held = [bucket for leases in workers for bucket in leases.buckets if leases.are_valid(wall)]
        async with tx(pool) as conn:
            owners = await conn.fetch("select bucket, owner from bucket_lease")
        for leases in workers:
            mine = [row["bucket"] for row in owners if row["owner"] == leases.owner]
            assert set(mine) <= set(leases.buckets)
        assert len(set(held)) == BUCKETS


@pytest.mark.parametrize("bad", [0])
def test_a_share_is_among_someone(bad: int) -> None:
    with pytest.raises(AssertionError):
        fair_share(bad)


@given(st.integers(1, 2000))
def test_shares_together_cover_all_buckets(workers: int) -> None:
    assert fair_share(workers) * workers >= BUCKETS
