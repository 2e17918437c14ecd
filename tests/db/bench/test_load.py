"""A town of toy size under load from end to end: journals sent in a closed loop, then Locust over an agenda."""

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bench.area_ingest import check_stored
from bench.load import peak
from bench.load.agenda import Rhythm
from bench.load.cards import make_cards
from bench.load.founding import found_town
from bench.load.home import Home
from bench.load.journals import Passages, make_journals, passages
from bench.load.sender import Sender, closed_loop
from bench.load.service import running
from bench.load.town import TownSize
from parkflow.vault import Vault
from tests.edge import MASTER_KEY

SIZE = TownSize(operators=1, lots=2, cards_per_operator=40)


async def test_a_town_of_toy_size_is_loaded_end_to_end(dsn: str, tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path, dsn, MASTER_KEY)
    now, pool = datetime.now(UTC), ThreadPoolExecutor(1)
    town = await found_town(dsn, Vault(MASTER_KEY), SIZE, now=now)
    make_cards(home, town, seed=1, now=now, pool=pool)
    plan = Passages(batches=2, scans=5, step_ms=1_000, end_ms=time.time_ns() // 1_000_000)
    journals = make_journals(passages(town, range(SIZE.lots), 1, plan), tmp_path, pool)
    day = peak.Peak("toy", SIZE, [0.1 * car for car in range(10)], 1, Rhythm(0.5, 1, 0.5), tmp_path)
    agenda = await peak.make_agenda(home, town, day)
    environment = {
        "PARKFLOW_DATA_DIR": str(tmp_path),
        "PARKFLOW_DATABASE_URL": dsn,
        "PARKFLOW_MASTER_KEY": MASTER_KEY.hex(),
    }
    async with running(tmp_path, environment, with_worker=False) as service:
        sender = Sender(service.url, seed=1)
        waiting = deque(upload for batch in zip(*journals, strict=True) for upload in batch)
        tally, _, _ = await closed_loop(sender, waiting, in_flight=2, seconds=30)
        await sender.aclose()
        outcome = await peak.carry_out(day, agenda, service)
    assert (tally.scans, tally.results) == (40, {"accepted": 40})
    await check_stored(home, 1, [tally])
    assert outcome.lines["Aggregated"].failures == 0
    assert {"upload scans", "poll bundle", "driver: stays", "driver: charges"} <= outcome.lines.keys()
    assert (tmp_path / "toy.html").exists()
    await peak.check_exits(home, len(day.times) + tally.scans // 2)
