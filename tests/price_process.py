"""A worker's pricing as a process of its own, which a test may have killed at a failpoint.

Run as `python -m tests.price_process DSN OWNER NOW`.
"""

import asyncio
import sys
from datetime import datetime

from parkflow.db.pool import open_pool
from parkflow.db.tx import tx
from parkflow.parking.pricing import price_closed


async def main(dsn: str, owner: str, at: str) -> None:
    """Price what is closed at this instant."""
    async with open_pool(dsn) as pool, tx(pool) as conn:
        await price_closed(conn, owner=owner, buckets=list(range(1024)), now=datetime.fromisoformat(at))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
