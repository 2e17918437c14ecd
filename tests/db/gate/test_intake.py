"""The way in: bounded, fair, and with an answer for everybody."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from parkflow import core
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.gate import service as gate_service
from parkflow.gate.ingest import Answer
from parkflow.gate.intake import FLUSHES_AT_ONCE, GateTooFast, IngestBusy, IngestStopping, Intake
from parkflow.kit.errors import ParkflowError
from parkflow.services import Services
from tests import seed
from tests.edge import services_over
from tests.held_clock import HeldClock
from tests.street import StreetGate, open_lot

SCANS = 5


@dataclass
class Door:
    """An intake with room for little, and gates of two operators in front of it."""

    services: Services
    intake: Intake
    clock: HeldClock
    gates: Sequence[StreetGate]

    async def send(self, gate: StreetGate, *, late: timedelta = timedelta()) -> asyncio.Task[Answer | ParkflowError]:
        """Begin to send a batch that was made so long ago; the answer or the refusal."""
        now = self.clock.now()
        scans = [gate.scan("x", now - late, verdict="bad_prefix") for _ in range(SCANS)]
        upload = core.read_upload(gate.batch(*scans, at=now), scans_max=len(scans))
        async with self.services.pool.acquire() as conn:
            known = await gate_service.get(conn, gate.gate_id)

        async def answer() -> Answer | ParkflowError:
            try:
                return await self.intake.take(known, upload, received_at=now)
            except ParkflowError as refusal:
                return refusal

        task = asyncio.create_task(answer())
        await asyncio.sleep(0)
        return task

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """The database makes every flush wait, and flushes are waiting, for the time of the block."""
        async with self.services.pool.acquire() as conn:
            transaction = conn.transaction()
            await transaction.start()
            # Whoever would write the same rows waits until it is known what became of these.
            await conn.execute(
                "insert into gate_watermark (bucket, gate_id, epoch, acked_seq, complete_to, heartbeat_at)"
                " select w.bucket, w.gate_id, $1, 0, w.complete_to, w.heartbeat_at from gate_watermark w",
                self.gates[0].epoch,
            )
            tasks = []
            for _ in range(FLUSHES_AT_ONCE):
                tasks.append(await self.send(self.gates[0]))
                async with asyncio.timeout(20):
                    while self.intake.waiting_scans:  # noqa: ASYNC110 (what is waited for happens in other tasks)
                        await asyncio.sleep(0.01)
            yield
            await transaction.rollback()
        assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*tasks))


@pytest.fixture
async def door(pool: Pool, clock: HeldClock) -> AsyncIterator[Door]:
    changes: dict[str, Any] = {
        "ingest_flush_scans_max": SCANS,
        "ingest_queue_scans_max": 4 * SCANS,
        "ingest_batches_per_gate_max": 2,
        "ingest_flush_wait_milliseconds": 0,
    }
    services = services_over(pool, clock)
    services = replace(services, settings=services.settings.model_copy(update=changes))
    gates = []
    async with tx(pool) as conn:
        for name in ("City Parking", "Uptown"):
            operator_id = await seed.operator(conn, services.vault, name=name)
            for number in range(2):
                gates += (await open_lot(conn, operator_id, f"lot-{number}", clock.now(), ["exit"]))[1]
    intake = Intake(services)
    yield Door(services, intake, clock, gates)
    await intake.aclose()


async def test_a_gate_that_does_not_wait_for_answers_is_told_to(door: Door) -> None:
    async with door.held():
        waiting = [await door.send(door.gates[0]) for _ in range(2)]
        refused = await (await door.send(door.gates[0]))
        assert isinstance(refused, GateTooFast)
        assert refused.retry_after_seconds
        # Another gate's upload waits like any first one.
        waiting.append(await door.send(door.gates[1]))
    assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*waiting))


async def test_what_finds_no_room_stays_in_the_gates_journal(door: Door) -> None:
    async with door.held():
        waiting = [await door.send(gate) for gate in (door.gates[1], door.gates[1], door.gates[2], door.gates[3])]
        refused = await (await door.send(door.gates[3]))
        assert isinstance(refused, IngestBusy)
        # Old uploads have a line of their own, which has room.
        waiting.append(await door.send(door.gates[3], late=timedelta(hours=72)))
    assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*waiting))
    async with door.services.pool.acquire() as conn:
        kept = await conn.fetchval("select count(*) from gate_event")
    assert kept == (FLUSHES_AT_ONCE + len(waiting)) * SCANS


async def test_who_comes_at_the_end_is_sent_away_and_who_waits_is_kept(door: Door) -> None:
    async with door.held():
        waiting = await door.send(door.gates[1])
        closing = asyncio.create_task(door.intake.aclose())
        await asyncio.sleep(0)
        assert isinstance(await (await door.send(door.gates[2])), IngestStopping)
    await closing
    assert isinstance(await waiting, Answer)
