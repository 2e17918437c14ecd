"""A worker's money steps as a process of its own, which a test may have killed at a failpoint.

Run as `python -m tests.deduct_process DSN CHANNEL_URL OWNER NOW`.
"""

import asyncio
import sys
from dataclasses import replace
from datetime import datetime

from parkflow.channel.service import Channels
from parkflow.channel.simulated import SimulatedChannel
from parkflow.charge import deduct, query
from parkflow.db.pool import open_pool
from tests.edge import services_over
from tests.held_clock import HeldClock


async def main(dsn: str, address: str, owner: str, at: str) -> None:
    """Deduct and ask until nothing is due at this instant."""
    now = datetime.fromisoformat(at)
    clock = HeldClock(now)
    async with open_pool(dsn) as pool:
        channel = SimulatedChannel(
            name="sim",
            base_url=address,
            secret=bytes(32),
            bill_time_zone="America/New_York",
            clock=clock,
            timeout_seconds=5,
        )
        services = replace(services_over(pool, clock), channels=Channels({"sim": channel}))
        buckets = list(range(1024))
        while await deduct.run(services, owner=owner, buckets=buckets, now=now) + await query.run(
            services, owner=owner, buckets=buckets, now=now
        ):
            pass
        await channel.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
