"""How far each gate's journal is here without a gap, and whether its hash chain holds."""

from collections.abc import Mapping, Sequence, Set
from typing import Final

from parkflow.db.conn import Conn
from parkflow.gate import scan_store, store
from parkflow.gate.flush import EventKey, Flush, Received
from parkflow.gate.rules import CHAIN_BROKEN, CHAIN_START, chain_hash
from parkflow.gate.store import Gate, Mark

# A gap is looked for over this many events: several batches that came out of order.
_CONTIGUOUS_EVENTS_MAX: Final = 20_000
Epoch = tuple[int, int]
"""A gate's id and the epoch of its journal."""


_NOTHING: Final = Mark(0, CHAIN_START, 0)


async def advance(conn: Conn, flush: Flush, *, troubled: Set[int]) -> tuple[dict[Epoch, Mark], dict[int, str]]:
    """Raise the watermarks after the events of the flush were inserted; and the gates whose chain is broken.

    troubled: gates that sent what contradicts what was here; for them only what is stored counts.
    """
    journals: dict[Epoch, list[Received]] = {}
    for one in flush.received:
        journals.setdefault((one.gate.gate_id, one.upload.epoch), []).append(one)
    marks = await store.watermarks(conn, [_epoch_key(uploads[0]) for uploads in journals.values()])
    neighbours = await _neighbours(conn, journals, marks)
    broken: dict[int, str] = {}
    raised: list[tuple[Gate, int, Mark]] = []
    for epoch, uploads in journals.items():
        mark = marks.get(epoch, _NOTHING)
        if epoch[0] not in troubled and not all(_follows(one, mark, uploads, neighbours) for one in uploads):
            broken[epoch[0]] = CHAIN_BROKEN
        reached = mark if epoch[0] in troubled or epoch[0] in broken else _reached(mark, uploads)
        if reached is mark or _after(uploads[0], reached.acked_seq) in neighbours:
            reached = await _contiguous(conn, uploads[0], reached)
        last_seq = max(mark.last_seq, *(one.upload.last_seq for one in uploads))
        raised.append((uploads[0].gate, epoch[1], reached._replace(last_seq=last_seq)))
    return await store.raise_watermarks(conn, raised, now=max(one.received_at for one in flush.received)), broken


def _reached(mark: Mark, uploads: Sequence[Received]) -> Mark:
    """How far the uploads, in order, bring the epoch if nothing was there beyond its mark."""
    for one in uploads:
        if one.upload.first_seq <= mark.acked_seq + 1 and one.upload.last_seq > mark.acked_seq:
            mark = Mark(one.upload.last_seq, one.upload.last_hash, mark.last_seq)
    return mark


def _follows(
    one: Received, mark: Mark, uploads: Sequence[Received], neighbours: Mapping[EventKey, tuple[bytes, bytes | None]]
) -> bool:
    """Whether the upload's chain fits the event before it and the one after it, where we have them."""
    before = _chain_before(one, mark, uploads, neighbours)
    if before is not None and before != one.upload.prev_hash:
        return False
    content, chain = neighbours.get(_after(one, one.upload.last_seq), (b"", None))
    return chain is None or chain == chain_hash(one.upload.last_hash, content)


def _chain_before(
    one: Received, mark: Mark, uploads: Sequence[Received], neighbours: Mapping[EventKey, tuple[bytes, bytes | None]]
) -> bytes | None:
    """The chain hash before the upload's first event; None where we do not know it."""
    before_seq = one.upload.first_seq - 1
    if before_seq == 0:
        return CHAIN_START
    if before_seq == mark.acked_seq:
        return mark.acked_sha256
    for other in uploads:
        if other.upload.last_seq == before_seq:
            return other.upload.last_hash
    return neighbours.get(_after(one, before_seq - 1), (b"", None))[1]


async def _neighbours(
    conn: Conn, journals: Mapping[Epoch, Sequence[Received]], marks: Mapping[Epoch, Mark]
) -> Mapping[EventKey, tuple[bytes, bytes | None]]:
    """Hashes of stored events just before and after the uploads, for those that do not simply go on where we are."""
    wanted: set[EventKey] = set()
    for epoch, uploads in journals.items():
        mark = marks.get(epoch, _NOTHING)
        for one in uploads:
            if one.upload.first_seq > 1 and one.upload.first_seq != mark.acked_seq + 1:
                wanted.add(_after(one, one.upload.first_seq - 2))
            if mark.last_seq > one.upload.last_seq or len(uploads) > 1:
                wanted.add(_after(one, one.upload.last_seq))
    return await scan_store.event_hashes(conn, sorted(wanted)) if wanted else {}


async def _contiguous(conn: Conn, one: Received, mark: Mark) -> Mark:
    """The mark, moved on over stored events up to the first gap."""
    found = await scan_store.contiguous_seq(conn, _after(one, mark.acked_seq), _CONTIGUOUS_EVENTS_MAX)
    return mark if found is None else Mark(found[0], found[1], mark.last_seq)


def _epoch_key(one: Received) -> tuple[int, int, int]:
    return one.gate.bucket, one.gate.gate_id, one.upload.epoch


def _after(one: Received, seq: int) -> EventKey:
    return EventKey(one.gate.bucket, one.gate.gate_id, one.upload.epoch, seq + 1)
