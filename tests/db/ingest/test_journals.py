"""However a gate's journal arrives, in pieces, twice, late, cut off or forged: each event counts once or is noticed."""

import asyncio
import copy
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.gate import service as gates
from parkflow.gate.state import GateEvent
from tests.db.ingest.conftest import Town
from tests.edge import client_of
from tests.gate_log import GateLog, batch_body, code_of
from tests.street import Scan, beat, content_hash, results, send, signed, upload

EVENTS = 12
GENESIS = bytes(32)


@dataclass
class Model:
    """What the service must have of one epoch: the first content of each event, and whether it must be suspicious."""

    content: dict[int, bytes] = field(default_factory=dict)
    chain: dict[int, bytes] = field(default_factory=dict)
    is_suspicious: bool = False

    def take(self, scans: Sequence[Scan], prev_hash: bytes) -> list[str]:
        """The results that these scans must get."""
        given, before, first = [], prev_hash, scans[0]["seq"]
        self.is_suspicious |= first > 1 and self.chain.get(first - 1, prev_hash) != prev_hash
        self.is_suspicious |= first == 1 and prev_hash != GENESIS
        for scan in scans:
            seq, content = scan["seq"], content_hash(scan)
            before = hashlib.sha256(before + content).digest()
            if seq not in self.content:
                given.append("accepted")
                self.content[seq], self.chain[seq] = content, before
            else:
                given.append("duplicate" if self.content[seq] == content else "conflict")
            self.is_suspicious |= self.content[seq] != content or self.chain[seq] != before
        following = scans[-1]["seq"] + 1
        if following in self.chain:
            fits = hashlib.sha256(before + self.content[following]).digest() == self.chain[following]
            self.is_suspicious |= not fits
        return given

    @property
    def acked(self) -> int:
        """Before the first gap."""
        return next(seq for seq in range(EVENTS + 2) if seq + 1 not in self.content)


@dataclass(frozen=True)
class Sending:
    """One request: some consecutive events, perhaps with one of them altered, or cut off on the way."""

    first: int
    last: int
    altered: int | None
    is_cut: bool


SENDINGS = st.builds(
    lambda first, length, altered, is_cut: Sending(
        first, min(first + length, EVENTS), None if altered is None else first + altered % (length + 1), is_cut
    ),
    st.integers(1, EVENTS),
    st.integers(0, EVENTS // 2),
    st.none() | st.none() | st.integers(0, EVENTS),
    st.sampled_from([False, False, False, True]),
)


@asynccontextmanager
async def new_epoch(town: Town) -> AsyncIterator[GateLog]:
    """A gate in use with an empty journal, which has seen some cars."""
    log = town.logs[0]
    log.gate.epoch, log.gate.last_seq = log.gate.epoch + 1, 0
    log.scans, log.acked = [], 0
    town.see(log, EVENTS)
    yield log
    async with tx(town.pool) as conn:
        gate = await gates.get(conn, log.gate.gate_id)
        if gate.state == "quarantined":
            change = {"reason": "looked at", "actor": "test", "now": datetime.now(UTC)}
            await gates.change_state(conn, gate, GateEvent.RELEASE, **change)  # type: ignore[arg-type]


@settings(max_examples=30, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sendings=st.lists(SENDINGS, min_size=1, max_size=8))
async def test_every_way_of_sending_a_journal_counts_each_event_once(town: Town, sendings: list[Sending]) -> None:
    async with client_of(town.services) as client, new_epoch(town) as log:
        model = Model()
        for sending in sendings:
            await _send_and_compare(client, log, model, sending)
        assert await is_quarantined(town, log) == model.is_suspicious
        # In the end the gate sends its whole journal, all pieces at once: what was not altered is complete.
        pieces = [log.body(first, first + 2, at=datetime.now(UTC)) for first in range(1, EVENTS, 3)]
        await asyncio.gather(*(_post(client, log, piece) for piece in pieces))
        await _compare_rows(town.pool, log, model)


async def _send_and_compare(client: httpx.AsyncClient, log: GateLog, model: Model, sending: Sending) -> None:
    scans = [dict(scan) for scan in log.scans[sending.first - 1 : sending.last]]
    for scan in scans:
        if scan["seq"] == sending.altered:
            scan["at_ms"] -= 1_000
    prev_hash = log.gate.chain_before(sending.first)
    body = batch_body(log.gate.epoch, scans, prev_hash=prev_hash, at=datetime.now(UTC))
    if sending.is_cut:
        answer = await _post(client, log, body[: len(body) * 2 // 3])
        assert (answer.status_code, answer.json()["code"]) == (422, "batch_malformed")
        return
    answer = await _post(client, log, body)
    assert results(answer) == model.take(scans, prev_hash)
    if not model.is_suspicious:
        assert answer.json()["acked_seq"] == model.acked


async def _compare_rows(pool: Pool, log: GateLog, model: Model) -> None:
    for scan in log.scans:
        model.content.setdefault(scan["seq"], content_hash(scan))
    async with pool.acquire() as conn:
        key = (log.gate.gate_id, log.gate.epoch)
        events = await conn.fetch("select seq, content_sha256 from gate_event where gate_id = $1 and epoch = $2", *key)
        passages = await conn.fetch("select seq from scan where gate_id = $1 and epoch = $2", *key)
    assert {row["seq"]: row["content_sha256"] for row in events} == model.content
    assert sorted(row["seq"] for row in passages) == sorted(model.content)


async def test_a_gate_that_goes_on_with_an_older_copy_of_its_journal_is_found_out(town: Town) -> None:
    async with client_of(town.services) as client, new_epoch(town) as log:
        older = copy.deepcopy(log)
        assert set(results(await upload(client, log.gate, datetime.now(UTC), *log.scans))) == {"accepted"}
        # The copy was made after event 6, and what the gate sees now takes the numbers of what it has forgotten.
        older.scans, older.gate.last_seq = older.scans[:6], 6
        for seq in range(7, 10):
            older.gate.chain.pop((older.gate.epoch, seq))
        town.see(older, 3)
        answer = await upload(client, older.gate, datetime.now(UTC), *older.scans)
        assert results(answer) == ["duplicate"] * 6 + ["conflict"] * 3
        assert await is_quarantined(town, log)
        async with town.pool.acquire() as conn:
            assert await conn.fetchval("select count(*) from scan") == EVENTS
            assert await conn.fetchval("select count(*) from gate_conflict") == 3
            reason = await conn.fetchval(
                "select reason from state_change where machine = 'gate' order by at desc limit 1"
            )
            assert reason == "conflict"


async def test_a_gate_that_hears_of_events_it_has_forgotten_goes_on_in_a_new_epoch_without_loss(town: Town) -> None:
    async with client_of(town.services) as client, new_epoch(town) as log:
        await upload(client, log.gate, datetime.now(UTC), *log.scans)
        told = (await _beat(client, log, last_seq=6)).json()
        assert (told["acked_seq"], told["last_seq"]) == (EVENTS, EVENTS)
        # It begins anew with a larger epoch, and carries over what was not acknowledged: the newest event.
        later = GateLog(log.gate)
        log.gate.epoch, log.gate.last_seq = log.gate.epoch + 1, 0
        town.see(later, 1)
        assert results(await upload(client, log.gate, datetime.now(UTC), *later.scans)) == ["accepted"]
        assert not await is_quarantined(town, log)
        async with town.pool.acquire() as conn:
            assert await conn.fetchval("select count(*) from scan") == EVENTS + 1


async def test_a_gate_is_not_complete_while_an_event_that_it_once_spoke_of_is_missing(town: Town) -> None:
    async with client_of(town.services) as client, new_epoch(town) as log:
        await upload(client, log.gate, datetime.now(UTC), *log.scans[:6])
        await _beat(client, log, last_seq=EVENTS)
        # The rest is lost: it says now that there was never more, and is not believed.
        since = datetime.now(UTC)
        told = (await _beat(client, log, last_seq=6)).json()
        assert (told["acked_seq"], told["last_seq"]) == (6, EVENTS)
        async with town.pool.acquire() as conn:
            behind = await gates.watermarks_before(conn, town.operator_id, since)
        assert log.gate.gate_id in behind


async def test_an_event_that_was_altered_in_the_journal_breaks_the_chain(town: Town) -> None:
    async with client_of(town.services) as client, new_epoch(town) as log:
        at = datetime.now(UTC)
        assert set(results(await upload(client, log.gate, at, *log.scans[:4]))) == {"accepted"}
        forged = dict(log.scans[4]) | {"code": code_of(town.driver, at - timedelta(seconds=1))}
        assert results(await upload(client, log.gate, at, forged)) == ["accepted"]
        assert not await is_quarantined(town, log)
        # The next one still carries the chain of the journal as it was written.
        assert results(await upload(client, log.gate, at, *log.scans[5:])) == ["accepted"] * (EVENTS - 5)
        assert await is_quarantined(town, log)
        async with town.pool.acquire() as conn:
            reason = await conn.fetchval(
                "select reason from state_change where machine = 'gate' order by at desc limit 1"
            )
        assert reason == "chain_broken"


async def is_quarantined(town: Town, log: GateLog) -> bool:
    async with town.pool.acquire() as conn:
        return (await gates.get(conn, log.gate.gate_id)).state == "quarantined"


async def _post(client: httpx.AsyncClient, log: GateLog, body: bytes) -> httpx.Response:
    return await send(client, signed(log.gate, "POST", "/scans", body, datetime.now(UTC)), body)


async def _beat(client: httpx.AsyncClient, log: GateLog, *, last_seq: int) -> httpx.Response:
    """A heartbeat that says that the journal ends there."""
    gate = copy.copy(log.gate)
    gate.last_seq = last_seq
    return await beat(client, gate, datetime.now(UTC))
