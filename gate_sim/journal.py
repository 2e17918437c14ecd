"""A gate's journal: what it saw, kept over power cuts until the service has acknowledged it.

An event is on the disk before the barrier opens (SQLite, WAL, synchronous=FULL) and leaves only when the service has
acknowledged it. `(epoch, seq)` names an event for ever: a journal that was lost starts again under a larger epoch.
Each event carries the hash of the one before it, so that a missing or altered one shows.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GENESIS = bytes(32)

_SCHEMA = """
create table if not exists chain (
    only_row integer primary key check (only_row = 1),
    epoch integer not null, last_seq integer not null, last_hash blob not null,
    acked_seq integer not null, acked_hash blob not null
);
create table if not exists event (seq integer primary key, content text not null, hash blob not null);
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One passage as it will be sent: `content` is the scan of the batch format, without its `seq`."""

    seq: int
    content: Mapping[str, object]
    hash: bytes


def chain_hash(prev_hash: bytes, seq: int, content: Mapping[str, object]) -> bytes:
    """SHA-256 (FIPS 180-4) over the hash before and the hash of the scan's RFC 8785 text."""
    scan = json.dumps({"seq": seq, **content}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(prev_hash + hashlib.sha256(scan.encode()).digest()).digest()


class Journal:
    """The durable list of events of one gate. `now_s` (unix seconds) becomes the epoch of a journal that is new."""

    def __init__(self, path: Path, *, now_s: int) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)
        self._db.execute("insert or ignore into chain values (1, ?, 0, ?, 0, ?)", (now_s, GENESIS, GENESIS))
        row = self._db.execute("select epoch, last_seq, last_hash, acked_seq, acked_hash from chain").fetchone()
        self.epoch: int = row[0]
        self.last_seq: int = row[1]
        self._last_hash: bytes = row[2]
        self.acked_seq: int = row[3]
        self._acked_hash: bytes = row[4]

    def append(self, content: Mapping[str, object]) -> Event:
        """Write one event through to the disk and return it; when this returns the barrier may open."""
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        seq = self.last_seq + 1
        event = Event(seq, content, chain_hash(self._last_hash, seq, content))
        self._db.execute("begin immediate")
        self._db.execute("insert into event values (?, ?, ?)", (event.seq, text, event.hash))
        self._db.execute("update chain set last_seq = ?, last_hash = ?", (event.seq, event.hash))
        self._db.execute("commit")
        self.last_seq, self._last_hash = event.seq, event.hash
        return event

    def unacknowledged(self, limit: int) -> Sequence[Event]:
        """The oldest events that the service has not acknowledged, at most `limit`."""
        rows = self._db.execute("select seq, content, hash from event order by seq limit ?", (limit,))
        return [Event(seq, json.loads(content), digest) for seq, content, digest in rows]

    def prev_hash(self) -> bytes:
        """The hash before the oldest unacknowledged event."""
        return self._acked_hash

    def acknowledge(self, *, epoch: int, seq: int) -> None:
        """Forget the events up to `seq` of `epoch`. Another epoch's answer and an older one change nothing."""
        if epoch != self.epoch or not self.acked_seq < seq <= self.last_seq:
            return
        (digest,) = self._db.execute("select hash from event where seq = ?", (seq,)).fetchone()
        self._db.execute("begin immediate")
        self._db.execute("update chain set acked_seq = ?, acked_hash = ?", (seq, digest))
        self._db.execute("delete from event where seq <= ?", (seq,))
        self._db.execute("commit")
        self.acked_seq, self._acked_hash = seq, digest

    def close(self) -> None:
        """Let go of the file; everything is on the disk already."""
        self._db.close()
