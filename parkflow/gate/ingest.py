"""Taking in a batch: every code verified again, every event kept once, every scan answered."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from parkflow import core
from parkflow.credential import keys as credential_keys
from parkflow.credential.keys import SealedScan
from parkflow.db.conn import Conn
from parkflow.db.transition import IllegalTransition
from parkflow.db.tx import in_tx
from parkflow.gate import scan_store, service, store
from parkflow.gate.batch import SCANS_MAX, Batch
from parkflow.gate.rules import CONFLICT, DUPLICATE, REPLAYED, UNISSUED, JudgedScan, Post, judge
from parkflow.gate.scan_store import Journal, Passage
from parkflow.gate.state import GateEvent
from parkflow.gate.store import Gate
from parkflow.lot import service as lot_service
from parkflow.services import Services

# A gap is looked for over this many events: several batches that came out of order.
_CONTIGUOUS_EVENTS_MAX: Final = 10 * SCANS_MAX
_log = logging.getLogger("parkflow.gate")


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What the gate may forget, everything of `epoch` up to `acked_seq`; and (seq, result) of each scan, as sent."""

    epoch: int
    acked_seq: int
    results: list[tuple[int, str]]


async def ingest(services: Services, gate: Gate, batch: Batch, *, now: datetime) -> BatchAnswer:
    """Keep the batch of an authenticated gate, in one transaction that may be run again.

    Scans are judged by their own time, so a late upload is as good as a fresh one. A code that was let through although
    its card was denied is a passage like any other.
    """
    post = await _post(services, gate)
    judged = await asyncio.to_thread(judge, batch, post, now=now)
    passages = await _passages(services, judged)
    judged = [_only_issued(scan, passages) for scan in judged]
    unissued = sum(scan.result == UNISSUED for scan in judged)
    if unissued:
        # Somebody signs with our issuer key: worse than any single code.
        _log.critical("gate %d uploaded %d codes of credentials that were never issued", gate.gate_id, unissued)
    journal = Journal(gate, batch.epoch, now)

    async def keep(conn: Conn) -> BatchAnswer:
        results = await _keep(conn, journal, judged, passages)
        acked_seq = await _acknowledge(conn, journal, max(scan.seq for scan in batch.scans))
        return BatchAnswer(batch.epoch, acked_seq, results)

    return await in_tx(services.pool, keep)


async def _post(services: Services, gate: Gate) -> Post:
    async with services.pool.acquire() as conn:
        lot = await lot_service.get(conn, operator_id=gate.operator_id, lot_id=gate.lot_id)
        lane = await lot_service.get_lane(conn, operator_id=gate.operator_id, lane_id=gate.lane_id)
        keys = core.KeySet(await credential_keys.key_set(conn, gate.operator_id))
    policy = core.Policy(lot.policy.code_age_max_seconds, lot.policy.skew_seconds, product=lot.product)
    return Post(keys, policy, lane.direction, lot.policy.exit_denied, services.credentials)


async def _passages(services: Services, judged: Sequence[JudgedScan]) -> Mapping[int, Passage]:
    """Whose codes they are, by seq; a credential that was never issued is nobody's."""
    genuine = [(scan.scan.seq, scan.verdict) for scan in judged if scan.verdict is not None]
    async with services.pool.acquire() as conn:
        opened = await credential_keys.open_scans(
            conn, services.vault, [SealedScan(verdict.kid or 0, verdict.subject or b"") for _, verdict in genuine]
        )
        known = [
            (Passage(seq, whose.bucket, whose.card_id, whose.serial, verdict.code_id or b""), whose, verdict)
            for (seq, verdict), whose in zip(genuine, opened, strict=True)
            if whose is not None
        ]
        issued = await credential_keys.were_issued(
            conn, [(whose, verdict.code_key or b"") for _, whose, verdict in known]
        )
    # Backwards, because of two scans with one seq the first one counts.
    pairs = reversed(list(zip(known, issued, strict=True)))
    return {passage.seq: passage for (passage, _, _), ours in pairs if ours}


def _only_issued(scan: JudgedScan, passages: Mapping[int, Passage]) -> JudgedScan:
    if scan.verdict is None or scan.scan.seq in passages:
        return scan
    return replace(scan, result=UNISSUED, verdict=None)


async def _keep(
    conn: Conn, journal: Journal, judged: Sequence[JudgedScan], passages: Mapping[int, Passage]
) -> list[tuple[int, str]]:
    """Store what is new and answer (seq, result) for each scan in order."""
    firsts = {scan.scan.seq: scan for scan in reversed(judged)}
    new = await scan_store.insert_events(conn, journal, list(firsts.values()))
    fresh = [scan for seq, scan in firsts.items() if seq in new]
    replayed = await _keep_passages(conn, journal, fresh, passages)
    old = [scan for scan in judged if scan.scan.seq not in new or firsts[scan.scan.seq] is not scan]
    hashes = await scan_store.event_hashes(conn, journal, [scan.scan.seq for scan in old])
    other = [scan for scan in old if hashes[scan.scan.seq] != scan.content_sha256]
    if other:
        await scan_store.insert_conflicts(conn, journal, other)
        await _quarantine(conn, journal)
    results = {id(scan): DUPLICATE for scan in old} | {id(scan): CONFLICT for scan in other}
    results |= {id(scan): REPLAYED if scan.scan.seq in replayed else scan.result for scan in fresh}
    return [(scan.scan.seq, results[id(scan)]) for scan in judged]


async def _keep_passages(
    conn: Conn, journal: Journal, fresh: Sequence[JudgedScan], passages: Mapping[int, Passage]
) -> set[int]:
    """Make scans of new passages; answers the seqs whose code had gone through before."""
    through = [(scan, passages[scan.scan.seq]) for scan in fresh if scan.is_passage]
    inserted = await scan_store.insert_scans(conn, journal, through)
    repeated = [(scan, passage) for scan, passage in through if passage.seq not in inserted]
    stopped = [(scan, passages[scan.scan.seq]) for scan in fresh if scan.result == REPLAYED and scan.verdict]
    if repeated or stopped:
        await scan_store.insert_replays(conn, journal, repeated + stopped)
    if repeated:
        await scan_store.mark_replayed(conn, journal, [passage.seq for _, passage in repeated])
    return {passage.seq for _, passage in repeated}


async def _quarantine(conn: Conn, journal: Journal) -> None:
    """One event with two contents means a broken or a false journal: a person has to look at the gate."""
    try:
        await service.change_state(
            conn, journal.gate, GateEvent.QUARANTINE, reason="conflict", actor="ingest", now=journal.received_at
        )
        _log.error("gate %d is quarantined: one event came with two contents", journal.gate.gate_id)
    except IllegalTransition:
        # It is in quarantine already.
        return


async def _acknowledge(conn: Conn, journal: Journal, last_seq: int) -> int:
    acked_seq = await store.acked_seq(conn, journal.gate, journal.epoch)
    contiguous = await scan_store.contiguous_seq(conn, journal, acked_seq, _CONTIGUOUS_EVENTS_MAX)
    await store.raise_watermark(
        conn, journal.gate, epoch=journal.epoch, acked_seq=contiguous, last_seq=last_seq, now=journal.received_at
    )
    return contiguous
