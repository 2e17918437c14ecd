"""A worker's repairs as a process of its own, which a test may have killed at a failpoint.

Run as `python -m tests.adjust_process DSN OWNER NOW`.
"""

import asyncio
import sys
from datetime import datetime

from parkflow.adjustment.service import adjust
from parkflow.charge.service import raise_for_priced
from parkflow.db.pool import open_pool
from parkflow.db.tx import tx
from parkflow.jobs.failpoint import failpoint
from parkflow.parking.service import apply
from parkflow.settings import Settings

BUCKETS = list(range(1024))


async def main(dsn: str, owner: str, at: str) -> None:
    """Apply, charge and adjust what is there at this instant."""
    now = datetime.fromisoformat(at)
    async with open_pool(dsn) as pool:
        settings = Settings()
        async with tx(pool) as conn:
            await apply(conn, owner=owner, buckets=BUCKETS, now=now)
        async with tx(pool) as conn:
            await raise_for_priced(conn, BUCKETS, now=now, deduct_delay_seconds=0)
        async with tx(pool) as conn:
            await adjust(conn, owner=owner, buckets=BUCKETS, settings=settings, now=now)
        failpoint("adjust.committed")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
