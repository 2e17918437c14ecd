"""The till for tests of charges."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkflow.db.conn import Pool
from tests.held_clock import HeldClock
from tests.till import Till, open_till


@pytest.fixture
async def till(pool: Pool, clock: HeldClock, tmp_path: Path) -> AsyncIterator[Till]:
    """A till with an operator and a live lot; its books are compared when the test is over."""
    async with open_till(pool, clock, tmp_path) as opened:
        await opened.furnish()
        yield opened
        await opened.check_books()
