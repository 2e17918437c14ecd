"""The town on the test's database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkflow.db.conn import Pool
from tests.day_world import World, day_world
from tests.held_clock import HeldClock


@pytest.fixture
async def world(pool: Pool, clock: HeldClock, tmp_path: Path, check_invariants: None) -> AsyncIterator[World]:
    """The town; when the test is over every invariant must hold."""
    async with day_world(pool, clock, tmp_path) as town:
        yield town
