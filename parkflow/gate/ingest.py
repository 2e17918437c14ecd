"""Keeping uploads: every code verified again, every event once, every scan answered; many in one transaction."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from parkflow import core
from parkflow.credential import keys as credential_keys
from parkflow.credential.keys import ScanSubject
from parkflow.db.conn import Conn
from parkflow.db.transition import IllegalTransition
from parkflow.db.tx import in_tx
from parkflow.gate import progress, scan_store, service, sightings, stages
from parkflow.gate.flush import Flush, Received
from parkflow.gate.posts import Posts
from parkflow.gate.rules import ACCEPTED, CHAIN_BROKEN, CONFLICT, CONFLICTING, DUPLICATE, REPLAYED, UNISSUED
from parkflow.gate.state import GateEvent
from parkflow.gate.store import Mark
from parkflow.jobs.failpoint import failpoint
from parkflow.services import Services

# The core could use several threads for one flush; but flushes run side by side, and others need the cores too.
_VERIFY_THREADS: Final = 1
_log = logging.getLogger("parkflow.gate")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate may forget, everything of `epoch` up to `acked_seq`; and the result of each scan, as sent.

    last_seq: the last event of the epoch that we have heard of.
    """

    epoch: int
    acked_seq: int
    last_seq: int
    first_seq: int
    results: Sequence[str]


class _Kept(NamedTuple):
    """What one transaction did: the result of each row, and how far each (gate, epoch) is."""

    results: list[str]
    marks: dict[tuple[int, int], Mark]


async def keep(services: Services, posts: Posts, received: Sequence[Received]) -> list[Answer]:
    """Keep the uploads of authenticated gates, in one transaction that may be run again; an answer for each, in order.

    Scans are judged by their own time, so a late upload is as good as a fresh one. A code that was let through although
    its card was denied is a passage like any other.
    """
    clock = services.clock
    begun_ns = clock.monotonic_ns()
    # In the order of their keys, so that flushes with common events wait for each other in one order.
    ordered = sorted(received, key=Received.order)
    async with services.pool.acquire() as conn:
        standing = await posts.of(conn, (one.gate for one in ordered))
    looked_up_ns = clock.monotonic_ns()
    judged = await asyncio.to_thread(
        core.judge_uploads,
        [(one.upload, standing[one.gate.gate_id]) for one in ordered],
        now_ms=max(one.received_at_ms for one in ordered),
        cache=services.credentials,
        threads=_VERIFY_THREADS,
    )
    failpoint("ingest.parsed")
    flush = Flush(ordered, judged)
    judged_ns = clock.monotonic_ns()

    inserted_ns = judged_ns

    async def work(conn: Conn) -> _Kept:
        nonlocal inserted_ns
        kept = await _keep(conn, services, flush)
        failpoint("ingest.before_commit")
        inserted_ns = clock.monotonic_ns()
        return kept

    kept = await in_tx(services.pool, work)
    stages.note(stages.LOOK_UP, looked_up_ns - begun_ns)
    stages.note(stages.VERIFY, judged_ns - looked_up_ns)
    # With all tries in it, where a transaction was run again: that is what the uploads waited for.
    stages.note(stages.INSERT, inserted_ns - judged_ns)
    stages.note(stages.COMMIT, clock.monotonic_ns() - inserted_ns)
    stages.FLUSH_SCANS.observe(flush.count)
    failpoint("ingest.committed")
    answers = {id(one): _answer(one, span, kept) for one, span in zip(ordered, flush.spans, strict=True)}
    return [answers[id(one)] for one in received]


def _answer(one: Received, span: range, kept: _Kept) -> Answer:
    mark = kept.marks[one.gate.gate_id, one.upload.epoch]
    results = kept.results[span.start : span.stop]
    return Answer(one.upload.epoch, mark.acked_seq, mark.last_seq, one.upload.first_seq, results)


async def _keep(conn: Conn, services: Services, flush: Flush) -> _Kept:
    """Store what is new; results by row."""
    results = list(flush.judged.result)
    fresh = flush.fresh(await scan_store.insert_events(conn, flush))
    failpoint("ingest.inserted")
    reasons: dict[int, str] = {}
    if fresh is not None:
        await _compare_old(conn, flush, fresh, results, reasons)
    await _keep_passages(conn, flush, fresh, results)
    await sightings.keep_reported(conn, services.vault, flush, fresh)
    marks, broken = await progress.advance(conn, flush, troubled=frozenset(reasons))
    for gate_id, reason in {**broken, **reasons}.items():
        await _quarantine(conn, flush, gate_id, reason)
    return _Kept(results, marks)


async def _compare_old(
    conn: Conn, flush: Flush, fresh: Sequence[bool], results: list[str], reasons: dict[int, str]
) -> None:
    """Rows whose event was there already: the same content is a duplicate, another one a conflict."""
    old = [row for row, new in enumerate(fresh) if not new]
    stored = await scan_store.event_hashes(conn, [flush.key(row) for row in old])
    other = []
    for row in old:
        content, chain = stored[flush.key(row)]
        if content != flush.judged.content_sha256[row]:
            results[row] = CONFLICT
            reasons[flush.gate(row).gate_id] = CONFLICTING
            other.append(row)
        else:
            results[row] = DUPLICATE
            if chain is not None and chain != flush.judged.chain_sha256[row]:
                # The same event after another past: one of the two journals is not the gate's.
                reasons.setdefault(flush.gate(row).gate_id, CHAIN_BROKEN)
    if other:
        await scan_store.insert_conflicts(conn, flush, other)


async def _keep_passages(conn: Conn, flush: Flush, fresh: Sequence[bool] | None, results: list[str]) -> None:
    """Make scans of new passages; what had gone through before is a replay, what was never issued is nobody's."""
    judged = flush.judged
    places = [place for place, row in enumerate(judged.passage_row) if fresh is None or fresh[row]]
    through = [place for place in places if results[judged.passage_row[place]] == ACCEPTED]
    left = await scan_store.insert_scans(conn, flush, through)
    unissued = [row for row in judged.unopened_row if fresh is None or fresh[row]]
    rest = left if len(through) == len(places) else sorted({*places} - {*through} | {*left})
    if rest:
        issued = await credential_keys.were_issued(conn, [_whose(judged, place) for place in rest])
        unissued += [judged.passage_row[place] for place, ours in zip(rest, issued, strict=True) if not ours]
        await _note_replays(conn, flush, [place for place, ours in zip(rest, issued, strict=True) if ours], results)
    if unissued:
        for row in unissued:
            results[row] = UNISSUED
        await scan_store.mark_events(conn, flush, unissued, UNISSUED)
        # Somebody signs with our issuer key: worse than any single code.
        gates = sorted({flush.gate(row).gate_id for row in unissued})
        _log.critical("gates %s uploaded %d codes of credentials that were never issued", gates, len(unissued))


async def _note_replays(conn: Conn, flush: Flush, places: Sequence[int], results: list[str]) -> None:
    if not places:
        return
    await scan_store.insert_replays(conn, flush, places)
    rows = [flush.judged.passage_row[place] for place in places]
    repeated = [row for row in rows if results[row] != REPLAYED]
    for row in repeated:
        results[row] = REPLAYED
    if repeated:
        await scan_store.mark_events(conn, flush, repeated, REPLAYED)


def _whose(judged: core.Judged, place: int) -> tuple[ScanSubject, bytes]:
    subject = ScanSubject(judged.passage_bucket[place], judged.passage_card_id[place], judged.passage_serial[place])
    return subject, judged.passage_code_key[place]


async def _quarantine(conn: Conn, flush: Flush, gate_id: int, reason: str) -> None:
    """A journal that contradicts itself is broken or false: a person has to look at the gate."""
    [one, *_] = [one for one in flush.received if one.gate.gate_id == gate_id]
    try:
        await service.change_state(
            conn, one.gate, GateEvent.QUARANTINE, reason=reason, actor="ingest", now=one.received_at
        )
    except IllegalTransition:
        # It is in quarantine already.
        return
    stages.QUARANTINED.labels(reason).inc()
    _log.error("gate %d is quarantined: %s", gate_id, reason)
