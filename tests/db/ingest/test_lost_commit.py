"""The database commits and its answer is lost: the service does the same work again, and nothing happens twice."""

import asyncio
import os
import random
from collections import Counter

from parkflow.db.pool import open_pool
from parkflow.kit.clock import SystemClock
from tests.db.ingest.conftest import open_town
from tests.edge import client_of, services_over
from tests.fault_proxy import FaultProxy, LostCommit, dsn_through, socket_of, to_socket
from tests.gate_log import NONE, difference, upload_all

# More on demand: the rule is 0 doubled effects of at least 2,000, which takes some minutes (pytest --timeout=1500).
LOST_MIN = int(os.environ.get("PARKFLOW_LOST_COMMITS", "200"))
SCANS = 5


async def test_a_commit_whose_answer_is_lost_has_its_effect_once(dsn: str) -> None:
    chance, lost = random.Random(20), Counter[str]()

    def decide() -> str:
        decision = chance.choice(["", "at_once", "late"]) if armed else ""
        lost[decision] += 1
        return decision

    armed = False
    async with (
        FaultProxy(to_socket(socket_of(dsn)), lambda: LostCommit(decide)).listening() as proxy,
        open_pool(dsn) as straight,
        open_pool(dsn_through(dsn, proxy.port)) as pool,
        client_of(services_over(pool, SystemClock())) as client,
    ):
        town = await open_town(services_over(straight, SystemClock()))
        armed = True
        while lost["at_once"] + lost["late"] < LOST_MIN:
            for log in town.logs:
                town.see(log, SCANS)
            await asyncio.gather(*(upload_all(client, log) for log in town.logs))
        armed = False
        assert await difference(straight, town.logs) == NONE
    batches = sum(len(log.scans) // SCANS for log in town.logs)
    print(f"\n{batches} batches, lost answers to COMMIT: {dict(lost)}, doubled 0")
