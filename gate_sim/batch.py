"""A scan batch as bytes: events of one epoch exactly as the journal holds them, within the limits of one request."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gate_sim.journal import Event
from gate_sim.offset import OffsetEstimate
from gate_sim.wire import to_instant_text

SCANS_PER_BATCH_MAX: Final = 2_000
BATCH_BYTES_MAX: Final = 1 << 20
# What stands around the scans: five numbers, two instants, a hash.
_BYTES_AROUND_SCANS: Final = 1_024


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a batch says of its gate: clock (unix milliseconds, and what is known of it) and bundle in use."""

    at_ms: int
    estimate: OffsetEstimate
    bundle_version: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A request body and which events are in it."""

    epoch: int
    first_seq: int
    last_seq: int
    body: bytes


def batch_of(events: Sequence[Event], prev_hash: bytes, stamp: Stamp) -> Batch:
    """As many of the first `events` (at least one, consecutive, of one epoch) as one request may hold.

    `prev_hash` is the chain's hash before the first of them.
    """
    texts = _within_limits([event.text for event in events])
    first, last = events[0], events[len(texts) - 1]
    synced_ms = stamp.estimate.last_sync_ms
    head = {
        "epoch": first.epoch,
        "first_seq": first.seq,
        "prev_hash": prev_hash.hex(),
        "bundle_version": stamp.bundle_version,
        "clock": {
            "gate_at": to_instant_text(stamp.at_ms),
            "last_sync_at": None if synced_ms is None else to_instant_text(synced_ms),
            "offset_ms": stamp.estimate.offset_ms,
        },
    }
    # The texts go as they were hashed: a gate that writes them anew may write them otherwise.
    body = f'{json.dumps(head, separators=(",", ":"))[:-1]},"scans":[{",".join(texts)}]}}'
    return Batch(first.epoch, first.seq, last.seq, body.encode())


def _within_limits(texts: Sequence[str]) -> Sequence[str]:
    size = _BYTES_AROUND_SCANS
    for index, text in enumerate(texts[:SCANS_PER_BATCH_MAX]):
        size += len(text.encode()) + 1
        if size > BATCH_BYTES_MAX:
            assert index, "one scan is far smaller than a batch may be"
            return texts[:index]
    return texts[:SCANS_PER_BATCH_MAX]
