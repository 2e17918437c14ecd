"""A town where scans arrive late, with money; every invariant holds at the end of each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkflow.db.conn import Pool
from tests.day_world import day_world
from tests.held_clock import HeldClock
from tests.repair_town import RepairTown, furnish


@pytest.fixture
async def town(pool: Pool, clock: HeldClock, tmp_path: Path, check_invariants: None) -> AsyncIterator[RepairTown]:
    async with day_world(pool, clock, tmp_path) as world:
        yield await furnish(world)
