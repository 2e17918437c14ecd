"""The rows of what gates saw: events as evidence, scans as passages of cards, replays and conflicts apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.gate.batch import evidence
from parkflow.gate.rules import JudgedScan
from parkflow.gate.store import Gate

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class Journal:
    """One epoch of one gate's events, and when this part of it arrived."""

    gate: Gate
    epoch: int
    received_at: datetime

    @property
    def key(self) -> tuple[int, int, int]:
        """The first columns of the key of its events."""
        return self.gate.bucket, self.gate.gate_id, self.epoch


@dataclass(frozen=True, slots=True)
class Passage:
    """Whose code an event shows."""

    seq: int
    bucket: int
    card_id: int
    serial: int
    code_id: bytes


async def insert_events(conn: Conn, journal: Journal, judged: Sequence[JudgedScan]) -> set[int]:
    """The seqs that were new."""
    inserted = await conn.fetch(
        _SQL.insert_events,
        *journal.key,
        journal.received_at,
        [one.scan.seq for one in judged],
        [one.content_sha256 for one in judged],
        [one.scanned_at for one in judged],
        [one.scan.direction for one in judged],
        [one.scan.medium for one in judged],
        [evidence(one.scan) for one in judged],
        [one.scan.verdict for one in judged],
        [one.result for one in judged],
    )
    return {row["seq"] for row in inserted}


async def event_hashes(conn: Conn, journal: Journal, seqs: Sequence[int]) -> dict[int, bytes]:
    """What is kept under these seqs already."""
    if not seqs:
        return {}
    found = await conn.fetch(_SQL.event_hashes, *journal.key, list(seqs))
    return {row["seq"]: row["content_sha256"] for row in found}


async def insert_conflicts(conn: Conn, journal: Journal, judged: Sequence[JudgedScan]) -> None:
    await conn.execute(
        _SQL.insert_conflicts,
        *journal.key,
        journal.received_at,
        [one.scan.seq for one in judged],
        [one.content_sha256 for one in judged],
        [evidence(one.scan) for one in judged],
    )


async def insert_scans(conn: Conn, journal: Journal, through: Sequence[tuple[JudgedScan, Passage]]) -> set[int]:
    """The seqs of passages whose code was new; the others are replays."""
    if not through:
        return set()
    # One order for everybody, so that batches with common codes wait for each other instead of deadlocking; of two
    # passages with one code in a batch the first one counts.
    ordered = sorted(through, key=lambda pair: (pair[1].bucket, pair[1].code_id, pair[1].seq))
    inserted = await conn.fetch(
        _SQL.insert_scans,
        journal.gate.gate_id,
        journal.epoch,
        journal.gate.operator_id,
        journal.gate.lot_id,
        journal.received_at,
        [passage.bucket for _, passage in ordered],
        [passage.seq for _, passage in ordered],
        [passage.card_id for _, passage in ordered],
        [one.scan.direction for one, _ in ordered],
        [one.scanned_at for one, _ in ordered],
        [passage.code_id for _, passage in ordered],
        [passage.serial for _, passage in ordered],
    )
    return {row["seq"] for row in inserted}


async def insert_replays(conn: Conn, journal: Journal, repeated: Sequence[tuple[JudgedScan, Passage]]) -> None:
    await conn.execute(
        _SQL.insert_replays,
        journal.gate.gate_id,
        journal.epoch,
        journal.gate.lot_id,
        journal.received_at,
        [passage.bucket for _, passage in repeated],
        [passage.seq for _, passage in repeated],
        [passage.card_id for _, passage in repeated],
        [passage.code_id for _, passage in repeated],
        [one.scanned_at for one, _ in repeated],
    )


async def mark_replayed(conn: Conn, journal: Journal, seqs: Sequence[int]) -> None:
    await conn.execute(_SQL.mark_replayed, *journal.key, list(seqs))


async def contiguous_seq(conn: Conn, journal: Journal, acked_seq: int, events_max: int) -> int:
    """The last seq up to which nothing is missing."""
    found: int = await conn.fetchval(_SQL.contiguous_seq, *journal.key, acked_seq, events_max)
    return found
