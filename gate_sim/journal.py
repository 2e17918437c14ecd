"""A gate's journal: what it saw, kept over power cuts until the service has acknowledged it.

An event is on the disk before the barrier opens (SQLite, WAL, synchronous=FULL) and leaves only when the service has
acknowledged it. `(epoch, seq)` names an event for ever, and no name is ever given twice: every start begins a new,
larger epoch, and what an older epoch still holds is sent under its old name. So a journal that was restored from an
older copy cannot call a new event by the name of another one. Hashes chain the events of an epoch.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Final

from gate_sim.journal_file import (
    GENESIS,
    Bounds,
    Chain,
    Event,
    JournalBroken,
    Salvage,
    canonical,
    chain_hash,
    content_hash,
    open_file,
    read_chains,
    salvage,
    set_aside,
)

__all__ = ["GENESIS", "Event", "Journal", "JournalFull", "canonical", "chain_hash", "content_hash"]

# On a full disk the journal could not even note what was acknowledged, which makes room: this much is held back.
_RESERVE_BYTES: Final = 128 * 1024
# No epoch of a gate; and more than any event takes, whose text is bounded.
_NO_EPOCH: Final = -1
_EVENT_BYTES_MAX: Final = 8_192
_FULL_CODES: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_PRIMARY_CODE: Final = 0xFF


class JournalFull(Exception):
    """The disk takes no more: what was to be written is not there, and everything older is."""


class Journal:
    """The durable list of events of one gate. `now_s` (unix seconds) numbers the epoch that begins with it.

    `pages_max` bounds the file, in pages of 4 KiB; without it the disk does. `set_aside` is where a file went that was
    no whole journal. Raises JournalFull, and sqlite3.OperationalError when another process has the file for longer than
    `busy_seconds`.
    """

    def __init__(self, path: Path, *, now_s: int, pages_max: int | None = None, busy_seconds: int = 5) -> None:
        self._path = path
        self._bounds = Bounds(pages_max, busy_seconds)
        self._is_full = False
        self._told_seq = 0
        self.set_aside: Path | None = None
        self._chains: dict[int, Chain] = {}
        try:
            self._open(now_s)
        except JournalFull:
            self._reserve.unlink(missing_ok=True)
            self._open(now_s)
        self._hold_reserve()

    @property
    def epoch(self) -> int:
        """The epoch of events that are written now."""
        return max(self._chains)

    @property
    def last_seq(self) -> int:
        """The seq of the newest event of this epoch, 0 if there is none."""
        return self._chains[self.epoch].last_seq

    @property
    def acked_seq(self) -> int:
        """Up to which seq of this epoch everything is acknowledged."""
        return self._chains[self.epoch].acked_seq

    @property
    def waiting(self) -> int:
        """How many events of all epochs the service has not acknowledged."""
        return sum(chain.last_seq - chain.acked_seq for chain in self._chains.values())

    @property
    def sending(self) -> Chain:
        """The epoch that is sent: the oldest one that holds anything, or this one."""
        return next((chain for chain in self._by_age() if chain.last_seq > chain.acked_seq), self._chains[self.epoch])

    def append(self, content: Mapping[str, object]) -> Event:
        """Write one event through to the disk and return it; when this returns the barrier may open.

        Raises JournalFull; then nothing was written, and the barrier stays shut.
        """
        chain, event = _next(self._chains[self.epoch], content)
        with self._writing():
            self._insert(event)
            self._keep(chain)
        self._chains[chain.epoch] = chain
        return event

    def takes_more(self) -> bool:
        """Whether the next event will find room, as far as that can be known."""
        if self._is_full:
            with contextlib.suppress(JournalFull), self._writing():
                # As large as an event may be, and gone again before anybody reads it.
                self._insert(Event(_NO_EPOCH, 0, " " * _EVENT_BYTES_MAX, GENESIS))
                self._db.execute("delete from event where epoch = ?", (_NO_EPOCH,))
        return not self._is_full

    def unacknowledged(self, limit: int) -> Sequence[Event]:
        """The oldest events that the service has not acknowledged, at most `limit`, all of one epoch."""
        query = "select epoch, seq, content, hash from event where epoch = ? order by seq limit ?"
        return [Event(*row) for row in self._db.execute(query, (self.sending.epoch, limit))]

    def newest(self, limit: int) -> Sequence[Event]:
        """The newest events that are still here, of any epoch, oldest first."""
        query = "select epoch, seq, content, hash from event order by epoch desc, seq desc limit ?"
        return [Event(*row) for row in self._db.execute(query, (limit,))][::-1]

    def prev_hash(self) -> bytes:
        """The hash before the oldest unacknowledged event."""
        return self.sending.acked_hash

    def tell(self, *, epoch: int, seq: int) -> None:
        """Note, before it is sent, that the service will know of events up to `seq` of `epoch`.

        Not on the disk: after the next start events of this epoch are no longer written.
        """
        if epoch == self.epoch:
            self._told_seq = max(self._told_seq, seq)

    def knows_more(self, *, epoch: int, seq: int) -> bool:
        """Whether a service that knows of `seq` of this `epoch` knows more than this journal ever told it.

        Then the journal is an older copy of itself, and was put back while the gate ran.
        """
        return epoch == self.epoch and seq > self._told_seq

    def acknowledge(self, *, epoch: int, seq: int) -> None:
        """Forget the events up to `seq` of `epoch`. Of an epoch of another life, or of events never sent: nothing.

        Raises JournalFull when the disk cannot even note it; then the events are sent again.
        """
        chain = self._chains.get(epoch)
        if chain is None:
            return
        if epoch != self.epoch:
            # Nothing is written in it any more. A service that knows more of it has met a newer copy of this journal.
            seq = min(seq, chain.last_seq)
        if not chain.acked_seq < seq <= chain.last_seq:
            return
        try:
            self._forget(chain, seq)
        except JournalFull:
            self._reserve.unlink(missing_ok=True)
            self._forget(chain, seq)
        self._hold_reserve()

    def begin_epoch(self, *, now_s: int) -> None:
        """Go on under a new epoch because this journal proved to be an older copy of itself.

        What the service was never told of may have been given a name that is taken: it is carried over.
        """
        chain = self._chains[self.epoch]
        rows = self._db.execute(
            "select epoch, seq, content, hash from event where epoch = ? order by seq", (chain.epoch,)
        )
        events = [Event(*row) for row in rows]
        told = [event for event in events if event.seq <= self._told_seq]
        untold = [event for event in events if event.seq > self._told_seq]
        cut = replace(chain, last_seq=chain.acked_seq, last_hash=chain.acked_hash)
        if told:
            cut = replace(chain, last_seq=told[-1].seq, last_hash=told[-1].hash)
        loose = [{name: value for name, value in event.content.items() if name != "seq"} for event in untold]
        self._begin(now_s, Salvage([cut], told, loose))

    def close(self) -> None:
        """Let go of the file; everything is on the disk already."""
        self._db.close()

    def _open(self, now_s: int) -> None:
        kept: Salvage | None = None
        try:
            with _told_if_full():
                self._db = open_file(self._path, self._bounds)
        except JournalBroken:
            self.set_aside = set_aside(self._path, now_s=now_s)
            kept = salvage(self.set_aside)
            self._db = open_file(self._path, self._bounds)
        try:
            self._begin(now_s, kept)
        except JournalFull:
            self._db.close()
            raise

    def _begin(self, now_s: int, kept: Salvage | None) -> None:
        """Begin an epoch behind all that there are, larger than them even when the clock went back."""
        known = {chain.epoch: chain for chain in read_chains(self._db)}
        if kept is not None:
            known |= {chain.epoch: chain for chain in kept.chains}
        chain = Chain(max(now_s, *(epoch + 1 for epoch in known), 1))
        carried = []
        for content in kept.loose if kept is not None else ():
            chain, event = _next(chain, content)
            carried.append(event)
        chains = {epoch: old for epoch, old in known.items() if old.last_seq > old.acked_seq} | {chain.epoch: chain}
        with self._writing():
            if kept is not None:
                self._db.executemany("delete from event where epoch = ?", [(old.epoch,) for old in kept.chains])
                for event in (*kept.events, *carried):
                    self._insert(event)
            self._db.execute("delete from epoch")
            for one in chains.values():
                self._keep(one)
        self._chains = chains
        self._told_seq = 0

    def _forget(self, chain: Chain, seq: int) -> None:
        where = (chain.epoch, seq)
        (digest,) = self._db.execute("select hash from event where epoch = ? and seq = ?", where).fetchone()
        changed = replace(chain, acked_seq=seq, acked_hash=digest)
        done = changed.epoch != self.epoch and changed.acked_seq == changed.last_seq
        with self._writing():
            self._db.execute("delete from event where epoch = ? and seq <= ?", where)
            if done:
                self._db.execute("delete from epoch where epoch = ?", (chain.epoch,))
            else:
                self._keep(changed)
        self._chains[chain.epoch] = changed
        if done:
            del self._chains[chain.epoch]

    def _by_age(self) -> Sequence[Chain]:
        return [self._chains[epoch] for epoch in sorted(self._chains)]

    def _insert(self, event: Event) -> None:
        row = (event.epoch, event.seq, event.text, event.hash)
        self._db.execute("insert into event (epoch, seq, content, hash) values (?, ?, ?, ?)", row)

    def _keep(self, chain: Chain) -> None:
        self._db.execute("insert or replace into epoch values (?, ?, ?, ?, ?)", astuple(chain))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; it is on the disk when the block is left. Raises JournalFull."""
        with _told_if_full():
            self._is_full = True
            try:
                self._db.execute("begin immediate")
                yield
                self._db.execute("commit")
                self._is_full = False
            finally:
                if self._db.in_transaction:
                    self._db.execute("rollback")

    @property
    def _reserve(self) -> Path:
        return self._path.with_name(f"{self._path.name}.reserve")

    def _hold_reserve(self) -> None:
        """Hold some of the disk back, if it has that much; a file with holes would hold nothing."""
        if self._reserve.exists():
            return
        try:
            with self._reserve.open("wb") as file:
                file.write(bytes(_RESERVE_BYTES))
                os.fsync(file.fileno())
        except OSError:
            self._reserve.unlink(missing_ok=True)


@contextlib.contextmanager
def _told_if_full() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE in _FULL_CODES:
            raise JournalFull(str(error)) from error
        raise


def _next(chain: Chain, content: Mapping[str, object]) -> tuple[Chain, Event]:
    seq = chain.last_seq + 1
    text = canonical({**content, "seq": seq})
    digest = chain_hash(chain.last_hash, text)
    return replace(chain, last_seq=seq, last_hash=digest), Event(chain.epoch, seq, text, digest)
