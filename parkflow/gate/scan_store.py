"""The rows of what gates saw: events as evidence, scans as passages of cards, replays and conflicts apart."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.gate.flush import EventKey, Flush

_SQL = load(__file__)
Named = tuple[int, int, int]
"""(gate, epoch, seq)."""


async def insert_events(conn: Conn, flush: Flush) -> frozenset[Named]:
    """The events that were new."""
    judged = flush.judged
    inserted = await conn.fetch(
        _SQL.insert_events,
        _arrived(flush),
        flush.per_row([one.gate.bucket for one in flush.received]),
        flush.per_row([one.gate.gate_id for one in flush.received]),
        flush.per_row([one.upload.epoch for one in flush.received]),
        judged.seq,
        judged.content_sha256,
        judged.chain_sha256,
        judged.at_ms,
        judged.direction,
        judged.medium,
        judged.content,
        judged.gate_verdict,
        judged.result,
    )
    return frozenset(_named(row) for row in inserted)


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


async def insert_scans(conn: Conn, flush: Flush, places: Sequence[int]) -> frozenset[EventKey]:
    """The passages whose code was new and whose credential was issued; `places` are those among the judged passages."""
    if not places:
        return frozenset()
    judged = flush.judged
    rows = [judged.passage_row[place] for place in places]
    gates = [flush.gate(row) for row in rows]
    keys = [flush.key(row) for row in rows]
    inserted = await conn.fetch(
        _SQL.insert_scans,
        _arrived(flush),
        [judged.passage_bucket[place] for place in places],
        *_columns(keys)[1:],
        [judged.passage_card_id[place] for place in places],
        [gate.operator_id for gate in gates],
        [gate.lot_id for gate in gates],
        [judged.direction[row] for row in rows],
        [judged.at_ms[row] for row in rows],
        *flush.doubts_ms(rows),
        [judged.passage_code_id[place] for place in places],
        [judged.passage_serial[place] for place in places],
        [judged.passage_code_key[place] for place in places],
    )
    if len(inserted) == len(keys):
        return frozenset(keys)
    by_name = {key[1:]: key for key in keys}
    return frozenset(by_name[_named(row)] for row in inserted)


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


def _named(row: Row) -> Named:
    return row["gate_id"], row["epoch"], row["seq"]


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
