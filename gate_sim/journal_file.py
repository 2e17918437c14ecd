"""The file of a gate's journal: its tables, whether what it holds is whole, and what can still be read of a broken one.

A journal that is not whole is never repaired in place: it is set aside under another name, as evidence, and a new one
begins with what could be read.
"""

import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

GENESIS: Final = bytes(32)

_VERSION: Final = 2
_SCHEMA: Final = f"""
begin immediate;
create table epoch (
    epoch integer primary key, last_seq integer not null, last_hash blob not null,
    acked_seq integer not null, acked_hash blob not null
);
create table event (
    epoch integer not null, seq integer not null, content text not null, hash blob not null, primary key (epoch, seq)
) without rowid;
pragma user_version = {_VERSION};
commit;
"""
# SQLite keeps what is not in the main file yet beside it.
_BESIDE: Final = ("", "-wal", "-shm")
# What SQLite says of a file that is damaged, is none of its own, or has other tables than ours.
_BROKEN_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_PRIMARY_CODE: Final = 0xFF
_CHAIN_TYPES: Final = [int, int, bytes, int, bytes]
_EVENT_TYPES: Final = [int, int, str, bytes]


class JournalBroken(Exception):
    """The file is no whole journal; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large the file may become, in pages (None: as the disk is), and how long another process is waited for."""

    pages_max: int | None
    busy_seconds: int


@dataclass(frozen=True, slots=True)
class Event:
    """One passage under its name `(epoch, seq)`; `text` is the scan of the batch format as it is sent."""

    epoch: int
    seq: int
    text: str
    hash: bytes

    @property
    def content(self) -> Mapping[str, object]:
        """The scan as JSON."""
        parsed: dict[str, object] = json.loads(self.text)
        return parsed


@dataclass(frozen=True, slots=True)
class Chain:
    """One epoch: how far it goes, and how far it is acknowledged."""

    epoch: int
    last_seq: int = 0
    last_hash: bytes = GENESIS
    acked_seq: int = 0
    acked_hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Salvage:
    """What could be read: epochs whose chain holds to their end, their events, and contents behind a break."""

    chains: Sequence[Chain]
    events: Sequence[Event]
    loose: Sequence[Mapping[str, object]]


def content_hash(text: str) -> bytes:
    """SHA-256 (FIPS 180-4) of a scan's canonical text (RFC 8785)."""
    return hashlib.sha256(text.encode()).digest()


def chain_hash(prev_hash: bytes, text: str) -> bytes:
    """SHA-256 over the chain's hash before and the content hash."""
    return hashlib.sha256(prev_hash + content_hash(text)).digest()


def canonical(content: Mapping[str, object]) -> str:
    """The JSON text of RFC 8785, for members that are strings, integers and booleans, with names in ASCII."""
    assert all(type(value) in (str, int, bool) for value in content.values()), content
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def open_file(path: Path, bounds: Bounds) -> sqlite3.Connection:
    """The journal at `path`, made if there is none. Raises JournalBroken, or sqlite3.Error, e.g. when it is locked."""
    db = _connected(path, bounds.busy_seconds)
    try:
        if not _is_ours(db):
            raise JournalBroken("it was written by another program")
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = full")
        if bounds.pages_max is not None:
            db.execute(f"pragma max_page_count = {bounds.pages_max}")
        if not _version(db):
            db.executescript(_SCHEMA)
        _check(db)
    except JournalBroken:
        db.close()
        raise
    except sqlite3.Error as error:
        db.close()
        if _code(error) in _BROKEN_CODES:
            raise JournalBroken(str(error)) from error
        raise
    return db


def set_aside(path: Path, *, now_s: int) -> Path:
    """Give the file a name under which it stays as evidence."""
    number = now_s
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    for suffix in _BESIDE:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def salvage(aside: Path) -> Salvage:
    """Read what can be read of a journal that was set aside; the file itself is not touched."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for suffix in ("", "-wal"):
            part = aside.with_name(aside.name + suffix)
            if part.exists():
                shutil.copyfile(part, copy.with_name(copy.name + suffix))
        with _reading(copy) as db:
            chains = [Chain(*row) for row in _rows_of(db, "select * from epoch order by epoch", _CHAIN_TYPES)]
            query = "select epoch, seq, content, hash from event order by epoch, seq"
            events = [Event(*row) for row in _rows_of(db, query, _EVENT_TYPES)]
    return _sorted_out({chain.epoch: chain for chain in chains}, events)


def read_chains(db: sqlite3.Connection) -> list[Chain]:
    """All epochs of a journal, oldest first."""
    return [Chain(*row) for row in db.execute("select * from epoch order by epoch")]


def _is_ours(db: sqlite3.Connection) -> bool:
    (tables,) = db.execute("select count(*) from sqlite_master").fetchone()
    return _version(db) == (_VERSION if tables else 0)


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("pragma user_version").fetchone()
    return int(version)


def _check(db: sqlite3.Connection) -> None:
    (said,) = db.execute("pragma quick_check(1)").fetchone()
    if said != "ok":
        raise JournalBroken(said)
    chains = read_chains(db)
    for chain in chains:
        events = db.execute("select epoch, seq, content, hash from event where epoch = ? order by seq", (chain.epoch,))
        whole = _whole_part(chain, (Event(*row) for row in events))
        if (whole.last_seq, whole.last_hash) != (chain.last_seq, chain.last_hash):
            raise JournalBroken(f"the chain of epoch {chain.epoch} breaks after seq {whole.last_seq}")
    (strays,) = db.execute("select count(*) from event where epoch not in (select epoch from epoch)").fetchone()
    if strays:
        raise JournalBroken(f"{strays} events belong to no epoch")


def _whole_part(chain: Chain, events: Iterator[Event]) -> Chain:
    """The chain as far as the events bear it out."""
    seq, digest = chain.acked_seq, chain.acked_hash
    for event in events:
        if event.seq != seq + 1 or not isinstance(event.text, str) or chain_hash(digest, event.text) != event.hash:
            break
        seq, digest = event.seq, event.hash
    return replace(chain, last_seq=seq, last_hash=digest)


def _sorted_out(chains: Mapping[int, Chain], events: Sequence[Event]) -> Salvage:
    """Events in an unbroken chain keep their names: the service may have them. What lies behind a break is loose."""
    whole = {
        epoch: _whole_part(chain, (event for event in events if event.epoch == epoch))
        for epoch, chain in chains.items()
    }
    kept = [event for event in events if event.epoch in whole and event.seq <= whole[event.epoch].last_seq]
    names = {(event.epoch, event.seq) for event in kept}
    hashes = {(event.epoch, event.seq): event.hash for event in events}
    behind = [event for event in events if (event.epoch, event.seq) not in names]
    loose = [_content(event) for event in behind if _may_be_whole(event, hashes)]
    return Salvage(list(whole.values()), kept, [content for content in loose if content is not None])


def _may_be_whole(event: Event, hashes: Mapping[tuple[int, int], bytes]) -> bool:
    """Not of an event that the one before it belies: a passage at another time, or of another car, helps nobody."""
    before = hashes.get((event.epoch, event.seq - 1))
    return before is None or chain_hash(before, event.text) == event.hash


def _content(event: Event) -> dict[str, object] | None:
    """The scan without its old seq, if it is one."""
    try:
        content = json.loads(event.text)
        return {name: value for name, value in content.items() if name != "seq"} if content["at_ms"] >= 0 else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _connected(path: Path, busy_seconds: int = 0) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    # A damaged text is told from a whole one by its hash, not by how it is encoded.
    db.text_factory = lambda raw: raw.decode(errors="replace")
    return db


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    db = _connected(path)
    try:
        yield db
    finally:
        db.close()


def _rows_of(db: sqlite3.Connection, query: str, types: Sequence[type]) -> Iterator[tuple[Any, ...]]:
    """Rows of these types, up to the first that cannot be read at all."""
    try:
        for row in db.execute(query):
            if [type(value) for value in row] == types:
                yield row
    except sqlite3.Error:
        return


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
