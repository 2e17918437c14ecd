"""The rows of what gates saw: events as evidence, scans as passages of cards, replays and conflicts apart."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.gate.flush import EventKey, Flush

_SQL = load(__file__)


async def insert_events(conn: Conn, flush: Flush) -> frozenset[int]:
    """Insert those that are new; the rows of those that are not, of two with one key the second."""
    of_upload = [(one.gate.bucket, one.gate.gate_id, one.upload.epoch) for one in flush.received]
    columns = flush.judged.event_columns(of_upload)
    old = await conn.fetch(_SQL.insert_events, _arrived(flush), flush.count, *columns)
    return frozenset(row["place"] - 1 for row in old)


async def event_hashes(conn: Conn, keys: Sequence[EventKey]) -> Mapping[EventKey, tuple[bytes, bytes | None]]:
    """Content hash and chain hash of what is kept under these keys; the latter is not known for old events."""
    found = await conn.fetch(_SQL.event_hashes, *_columns(keys))
    hashes = {(row["gate_id"], row["epoch"], row["seq"]): (row["content_sha256"], row["chain_sha256"]) for row in found}
    return {key: hashes[key[1:]] for key in keys if key[1:] in hashes}


async def insert_conflicts(conn: Conn, flush: Flush, rows: Sequence[int]) -> None:
    await conn.execute(
        _SQL.insert_conflicts,
        _arrived(flush),
        *_columns([flush.key(row) for row in rows]),
        [flush.judged.content_sha256[row] for row in rows],
        [flush.judged.content[row] for row in rows],
    )


async def insert_scans(conn: Conn, flush: Flush, places: Sequence[int]) -> list[int]:
    """Make scans of the passages at these places; those whose code was not new or whose credential was never issued.

    The places are those among the judged passages, here and in the answer.
    """
    if not places:
        return []
    judged = flush.judged
    of_upload = [(one.gate.gate_id, one.upload.epoch, one.gate.operator_id, one.gate.lot_id) for one in flush.received]
    chosen = None if len(places) == len(judged.passage_row) else places
    columns = judged.passage_columns(of_upload, chosen)
    doubts = flush.doubts_ms([judged.passage_row[place] for place in places]) if flush.has_doubts else (None, None)
    left = await conn.fetch(_SQL.insert_scans, _arrived(flush), len(places), *columns, *doubts)
    return [places[row["place"] - 1] for row in left]


async def insert_replays(conn: Conn, flush: Flush, places: Sequence[int]) -> None:
    judged = flush.judged
    rows = [judged.passage_row[place] for place in places]
    await conn.execute(
        _SQL.insert_replays,
        _arrived(flush),
        [judged.passage_bucket[place] for place in places],
        *_columns([flush.key(row) for row in rows])[1:],
        [judged.passage_card_id[place] for place in places],
        [flush.gate(row).lot_id for row in rows],
        [judged.passage_code_id[place] for place in places],
        [judged.at_ms[row] for row in rows],
    )


async def mark_events(conn: Conn, flush: Flush, rows: Sequence[int], verdict: str) -> None:
    await conn.execute(_SQL.mark_events, *_columns([flush.key(row) for row in rows]), [verdict] * len(rows))


async def contiguous_seq(conn: Conn, first: EventKey, events_max: int) -> tuple[int, bytes | None] | None:
    """The last event before a gap from `first` on, and its chain hash; None where `first` is missing."""
    found = await conn.fetchrow(
        _SQL.contiguous_seq, first.bucket, first.gate_id, first.epoch, first.seq - 1, events_max
    )
    return None if found is None else (found["seq"], found["chain_sha256"])


def _arrived(flush: Flush) -> datetime:
    """When the last upload of the flush arrived: the order in which they are applied needs no finer grain."""
    return max(one.received_at for one in flush.received)


def _columns(keys: Sequence[EventKey]) -> tuple[list[int], list[int], list[int], list[int]]:
    return (
        [key.bucket for key in keys],
        [key.gate_id for key in keys],
        [key.epoch for key in keys],
        [key.seq for key in keys],
    )
