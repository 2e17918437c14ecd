"""Sightings: passages seen by plate, ticket or a hand on the barrier, kept until it is known whose card they are.

What was seen is personal: it is stored sealed, is found by its blind index, and stands in no log.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from parkflow.account import service as accounts
from parkflow.account.rules import InvalidPlate
from parkflow.account.service import PlateKey
from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.db.transition import Change, Subject, transition
from parkflow.gate.flush import Flush
from parkflow.gate.state import SIGHTING, SightingEvent, SightingState
from parkflow.gate.store import Gate
from parkflow.gate.unpaired import ScanKey
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of, derived_bucket, derived_id
from parkflow.vault import Vault

_SQL = load(__file__, "sightings.sql")
ID_PREFIX: Final = "sight"
PLATE: Final = "plate"
TICKET: Final = "ticket"
LIFT: Final = "lift"
# The passage is on record by another reader already: the card is known, and there is no second scan of it.
SEEN_TWICE: Final = "seen_twice"
_PURPOSES: Final = {PLATE: "sighting/plate", TICKET: "sighting/ticket"}
# As much as is kept of any text that a gate reports.
_SEEN_LENGTH_MAX: Final = 400
_CODE_ID_PREFIX: Final = b"parkflow/sighting/1\0"
_CODE_ID_BYTES: Final = 16
_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Sighting(NamedTuple):
    """A passage as a gate reported it; `text` is the plate or ticket, None for a lift."""

    gate: Gate
    epoch: int
    seq: int
    direction: str
    medium: str
    text: str | None
    lifted_by: str | None
    scanned_at: datetime
    earliest_at: datetime | None
    latest_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeptSighting:
    """A sighting as it is stored; `plate` where it is one that can be looked up."""

    key: ScanKey
    sighting_id: int
    operator_id: int
    lot_id: int
    direction: str
    medium: str
    plate: PlateKey | None
    scanned_at: datetime
    earliest_at: datetime | None
    latest_at: datetime | None
    received_at: datetime
    state: SightingState
    reason: str | None
    card_id: int | None


class Found(NamedTuple):
    """Whose passage a sighting is, and how that is known."""

    key: ScanKey
    card_id: int
    reason: str


class _Seen(NamedTuple):
    bucket: int
    blind_index: bytes | None
    sealed: bytes | None


async def keep(conn: Conn, vault: Vault, sightings: Sequence[Sighting], *, received_at: datetime) -> None:
    """Store each sighting once, in the transaction of the upload that brought it; never refuses one."""
    if not sightings:
        return
    rows = sorted((_row(vault, one) for one in sightings), key=lambda row: row[:4])
    await conn.execute(_SQL.insert_sightings, received_at, *[list(column) for column in zip(*rows, strict=True)])


async def keep_reported(conn: Conn, vault: Vault, flush: Flush, fresh: Sequence[bool] | None) -> None:
    """Store the sightings among the new events of a flush; `fresh` says which rows are new, None: all."""
    judged = flush.judged
    places = [place for place, row in enumerate(judged.sighting_row) if fresh is None or fresh[row]]
    if not places:
        return
    rows = [judged.sighting_row[place] for place in places]
    reported = [
        Sighting(
            flush.gate(row),
            flush.key(row).epoch,
            judged.seq[row],
            judged.direction[row],
            judged.medium[row],
            judged.sighting_text[place],
            judged.sighting_lifted_by[place],
            _instant(judged.at_ms[row]),
            None if earliest_ms is None else _instant(earliest_ms),
            None if latest_ms is None else _instant(latest_ms),
        )
        for place, row, earliest_ms, latest_ms in zip(places, rows, *flush.doubts_ms(rows), strict=True)
    ]
    await keep(conn, vault, reported, received_at=max(one.received_at for one in flush.received))


async def due(
    conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime, sightings_max: int
) -> list[KeptSighting]:
    """What is to be looked at now in buckets that `owner` has leased, the longest due first."""
    rows = await conn.fetch(_SQL.sightings_due, owner, list(buckets), now, sightings_max)
    return [_kept(row) for row in rows]


async def undecided_of_plates(conn: Conn, plates: Sequence[PlateKey]) -> list[KeptSighting]:
    """All undecided sightings of the plates, due or not; those of quarantined gates wait outside."""
    rows = await conn.fetch(
        _SQL.undecided_of_plates, [plate.bucket for plate in plates], [plate.plate_index for plate in plates]
    )
    return [_kept(row) for row in rows]


async def plates_of_matched(conn: Conn, plates: Sequence[PlateKey]) -> dict[tuple[int, int, int], PlateKey]:
    """By which of the plates a passage is known, by its event (gate, epoch, seq)."""
    rows = await conn.fetch(
        _SQL.matched_of_plates, [plate.bucket for plate in plates], [plate.plate_index for plate in plates]
    )
    return {(row["gate_id"], row["epoch"], row["seq"]): PlateKey(row["bucket"], row["seen_index"]) for row in rows}


async def of_operator(conn: Conn, *, operator_id: int, sighting_id: int) -> KeptSighting:
    """The operator's sighting. Raises NotFound, also for another operator's."""
    row = await conn.fetchrow(_SQL.one_sighting, bucket_of(sighting_id), sighting_id)
    if row is None or row["operator_id"] != operator_id:
        raise NotFound("the operator has no such sighting")
    return _kept(row)


async def in_company(
    conn: Conn, lifts: Sequence[KeptSighting], *, seqs_max: int, time_max: timedelta
) -> frozenset[ScanKey]:
    """The lifts near which the gate saw something else."""
    if not lifts:
        return frozenset()
    rows = await conn.fetch(
        _SQL.lifts_in_company,
        [bucket_of(one.key.gate_id) for one in lifts],
        *_columns([one.key for one in lifts])[1:],
        [one.scanned_at for one in lifts],
        seqs_max,
        time_max,
    )
    found = {(row["gate_id"], row["epoch"], row["seq"]) for row in rows}
    return frozenset(one.key for one in lifts if one.key[1:] in found)


async def told_to(conn: Conn, gate_ids: Sequence[int]) -> dict[int, datetime]:
    """Up to when each gate has told all it saw."""
    ordered = sorted(set(gate_ids))
    rows = await conn.fetch(_SQL.gates_told_to, [bucket_of(ident) for ident in ordered], ordered)
    return {row["gate_id"]: row["complete_to"] for row in rows}


async def match(conn: Conn, owner: str, found: Sequence[Found], *, by: str, now: datetime) -> int:
    """The sightings are passages of these cards from now on; how many were still undecided."""
    if not found:
        return 0
    rows = await conn.fetch(
        _SQL.match_sightings,
        owner,
        now,
        by,
        *_columns([one.key for one in found]),
        [one.card_id for one in found],
        [one.reason for one in found],
    )
    await _insert_scans(conn, [_kept(row) for row in rows if row["reason"] != SEEN_TWICE], now)
    return len(rows)


async def assign(
    conn: Conn, sighting: KeptSighting, *, card_id: int, reason: str, by: str, now: datetime
) -> KeptSighting:
    """A person says whose passage it is. Raises IllegalTransition when it is decided already."""
    columns = {"card_id": card_id, "decided_at": now, "decided_by": by, "reason": reason, "look_at": None}
    await transition(conn, SIGHTING, _subject(sighting), SightingEvent.MATCH, Change(now, columns=columns))
    matched = await of_operator(conn, operator_id=sighting.operator_id, sighting_id=sighting.sighting_id)
    await _insert_scans(conn, [matched], now)
    return matched


async def dismiss_one(conn: Conn, sighting: KeptSighting, *, reason: str, by: str, now: datetime) -> KeptSighting:
    """A person says that it is nobody's passage. Raises IllegalTransition when it is decided already."""
    columns = {"decided_at": now, "decided_by": by, "reason": reason, "look_at": None}
    await transition(conn, SIGHTING, _subject(sighting), SightingEvent.DISMISS, Change(now, columns=columns))
    return await of_operator(conn, operator_id=sighting.operator_id, sighting_id=sighting.sighting_id)


async def hold(conn: Conn, owner: str, held: Sequence[tuple[ScanKey, str, datetime | None]]) -> None:
    """They wait for these reasons, and are looked at again then."""
    if held:
        keys = _columns([key for key, _, _ in held])
        await conn.execute(_SQL.hold_sightings, owner, *keys, [why for _, why, _ in held], [at for _, _, at in held])


async def postpone(conn: Conn, owner: str, later: Sequence[tuple[ScanKey, datetime]]) -> None:
    """Nothing can be said of them before these instants."""
    if later:
        keys = _columns([key for key, _ in later])
        await conn.execute(_SQL.postpone_sightings, owner, *keys, [at for _, at in later])


async def note(conn: Conn, owner: str, keys: Sequence[ScanKey], *, reason: str) -> None:
    """They are records; nobody has to decide about them."""
    if keys:
        await conn.execute(_SQL.note_sightings, owner, reason, *_columns(keys))


async def dismiss(conn: Conn, owner: str, keys: Sequence[ScanKey], *, by: str, now: datetime) -> None:
    """Nobody found out whose they are."""
    if keys:
        await conn.execute(_SQL.dismiss_sightings, owner, now, by, *_columns(keys))


async def plate_entered(conn: Conn, vault: Vault, *, plate: str, now: datetime) -> None:
    """A driver has entered a plate: what was seen of it is looked at again at once. Raises InvalidPlate."""
    await conn.execute(_SQL.hurry_sightings, *accounts.plate_key(vault, plate), now)


def open_seen(vault: Vault, medium: str, sealed: bytes) -> str:
    """The plate or ticket that was seen; a look at personal data, which its caller puts on record."""
    return vault.open(_PURPOSES[medium], sealed).decode()


def code_id(key: ScanKey) -> bytes:
    """What stands for the code of a passage that showed none, as unique as the event."""
    event = b"".join(number.to_bytes(8, "big") for number in key[1:])
    return hashlib.sha256(_CODE_ID_PREFIX + event).digest()[:_CODE_ID_BYTES]


async def _insert_scans(conn: Conn, matched: Sequence[KeptSighting], now: datetime) -> None:
    if not matched:
        return
    ordered = sorted(matched, key=lambda one: (one.card_id, one.key))
    cards = [one.card_id or 0 for one in ordered]
    await conn.execute(
        _SQL.insert_scans_of_sightings,
        now,
        [bucket_of(card_id) for card_id in cards],
        *_columns([one.key for one in ordered])[1:],
        cards,
        [one.operator_id for one in ordered],
        [one.lot_id for one in ordered],
        [one.direction for one in ordered],
        [one.scanned_at for one in ordered],
        [one.earliest_at for one in ordered],
        [one.latest_at for one in ordered],
        [code_id(one.key) for one in ordered],
        [one.medium for one in ordered],
    )


def _instant(at_ms: int) -> datetime:
    return _UNIX + at_ms * _MILLISECOND


def _row(vault: Vault, one: Sighting) -> tuple[object, ...]:
    """The columns of a new row, its key first."""
    seen = _sealed(vault, one)
    event = (one.gate.gate_id, one.epoch, one.seq)
    ident = derived_id(seen.bucket, b"sighting", *(number.to_bytes(8, "big") for number in event))
    where = (ident, one.gate.operator_id, one.gate.lot_id, one.direction, one.medium)
    when = (one.scanned_at, one.earliest_at, one.latest_at)
    return (seen.bucket, *event, *where, seen.blind_index, seen.sealed, one.lifted_by, *when)


def _sealed(vault: Vault, one: Sighting) -> _Seen:
    """A text that is no plate has the gate's bucket and cannot be looked up; a person can still read it."""
    if one.medium == LIFT:
        return _Seen(one.gate.bucket, None, None)
    text = (one.text or "")[:_SEEN_LENGTH_MAX]
    # A camera's text may hold anything, also halves of surrogate pairs.
    sealed = vault.seal(_PURPOSES[one.medium], text.encode(errors="replace"))
    if one.medium == TICKET:
        index = vault.blind_index("gate/ticket", text.encode(errors="replace"))
        return _Seen(derived_bucket(index), index, sealed)
    try:
        return _Seen(*accounts.plate_key(vault, text), sealed)
    except InvalidPlate:
        return _Seen(one.gate.bucket, None, sealed)


def _kept(row: Row) -> KeptSighting:
    is_plate = row["medium"] == PLATE and row["seen_index"] is not None
    return KeptSighting(
        key=ScanKey(row["bucket"], row["gate_id"], row["epoch"], row["seq"]),
        sighting_id=row["sighting_id"],
        operator_id=row["operator_id"],
        lot_id=row["lot_id"],
        direction=row["direction"],
        medium=row["medium"],
        plate=PlateKey(row["bucket"], row["seen_index"]) if is_plate else None,
        scanned_at=row["scanned_at"],
        earliest_at=row["earliest_at"],
        latest_at=row["latest_at"],
        received_at=row["received_at"],
        state=SightingState(row["state"]),
        reason=row["reason"],
        card_id=row["card_id"],
    )


def _subject(one: KeptSighting) -> Subject:
    return Subject("sighting", one.key._asdict(), one.key.bucket, one.sighting_id)


def _columns(keys: Sequence[ScanKey]) -> tuple[list[int], list[int], list[int], list[int]]:
    return (
        [key.bucket for key in keys],
        [key.gate_id for key in keys],
        [key.epoch for key in keys],
        [key.seq for key in keys],
    )
