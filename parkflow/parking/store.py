"""The rows of stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.gate.unpaired import Group
from parkflow.kit.ids import bucket_of
from parkflow.parking.rules import KnownStay, NewStay, StayEnd
from parkflow.parking.state import StayState

_SQL = load(__file__)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StayToInsert:
    """A new stay with what it takes from its card and operator."""

    stay: NewStay
    operator_id: int
    vehicle_class: str
    currency: str


@dataclass(frozen=True, slots=True)
class ClosedStay:
    """A stay that waits for its price."""

    bucket: int
    stay_id: int
    card_id: int
    operator_id: int
    lot_id: int
    vehicle_class: str
    entry_at: datetime
    exit_at: datetime


@dataclass(frozen=True, slots=True)
class StayToQuote:
    """A stay whose fee is asked for before it has one."""

    bucket: int
    stay_id: int
    card_id: int
    operator_id: int
    lot_id: int
    vehicle_class: str
    entry_at: datetime
    state: StayState


@dataclass(frozen=True, slots=True)
class PricedStay:
    """A stay with its fee: by which tariff, and line by line."""

    bucket: int
    stay_id: int
    tariff_sha256: bytes
    tzdata_version: str
    fee_minor: int
    fee_lines: Any


@dataclass(frozen=True, slots=True)
class CardHistory:
    """What the stays of a card have used: `used` in all lots, re-entry `chains` by lot; `version` 0: no row yet."""

    bucket: int
    card_id: int
    version: int
    used: Mapping[str, Any]
    chains: Mapping[str, Any]
    window_s: int


async def open_stays(conn: Conn, groups: Sequence[Group]) -> Mapping[Group, KnownStay]:
    found = await conn.fetch(_SQL.open_stays, *_group_columns(groups))
    return {_group(row): KnownStay(row["stay_id"], _entry(row), None) for row in found}


async def recent_stays(conn: Conn, windows: Mapping[Group, tuple[datetime, datetime]]) -> Mapping[Group, KnownStay]:
    """Per group the last stay that ended in the window; its end is not in it."""
    groups = list(windows)
    since, until = [windows[group][0] for group in groups], [windows[group][1] for group in groups]
    found = await conn.fetch(_SQL.recent_stays, *_group_columns(groups), since, until)
    last: dict[Group, KnownStay] = {}
    for row in found:
        leaving = StayEnd((row["exit_gate_id"], row["exit_epoch"], row["exit_seq"]), row["exit_at"])
        last.setdefault(_group(row), KnownStay(row["stay_id"], _entry(row), leaving))
    return last


async def insert_stays(conn: Conn, owner: str, stays: Sequence[StayToInsert], now: datetime) -> None:
    if not stays:
        return
    new = [one.stay for one in stays]
    entries, exits = [stay.entry for stay in new], [stay.exit for stay in new]
    await conn.execute(
        _SQL.insert_stays,
        owner,
        now,
        [stay.group.bucket for stay in new],
        [stay.stay_id for stay in new],
        [stay.group.card_id for stay in new],
        [one.operator_id for one in stays],
        [stay.group.lot_id for stay in new],
        [one.vehicle_class for one in stays],
        *_end_columns(entries),
        *_end_columns(exits),
        [_state(stay) for stay in new],
        ["missing_exit" if stay.abandoned else None for stay in new],
        [one.currency for one in stays],
    )


async def close_stays(conn: Conn, owner: str, closed: Sequence[tuple[Group, int, StayEnd]]) -> None:
    if closed:
        buckets, stays = [group.bucket for group, _, _ in closed], [ident for _, ident, _ in closed]
        await conn.execute(_SQL.close_stays, owner, buckets, stays, *_end_columns([end for _, _, end in closed]))


async def abandon_stays(conn: Conn, owner: str, stays: Sequence[tuple[Group, int]], reason: str) -> None:
    if stays:
        buckets, idents = [group.bucket for group, _ in stays], [ident for _, ident in stays]
        await conn.execute(_SQL.abandon_stays, owner, reason, buckets, idents)


async def closed_stays(
    conn: Conn, *, owner: str, buckets: Sequence[int], after: ClosedStay | None, stays_max: int
) -> list[ClosedStay]:
    """The next page after a stay: each card's stays in order of exit, then id."""
    # No bucket is below 0, so the first page begins before all stays, whatever the rest of its key.
    key = (-1, 0, EPOCH, 0) if after is None else (after.bucket, after.card_id, after.exit_at, after.stay_id)
    found = await conn.fetch(_SQL.closed_stays, owner, list(buckets), *key, stays_max)
    return [ClosedStay(**dict(row.items())) for row in found]


async def stay_to_quote(
    conn: Conn, stay_id: int, *, account_id: int | None, operator_id: int | None
) -> StayToQuote | None:
    """The stay, if it is the account's and the operator's; None for either asks for anybody's."""
    found = await conn.fetchrow(_SQL.stay_to_quote, bucket_of(stay_id), stay_id, account_id, operator_id)
    return StayToQuote(**{**dict(found.items()), "state": StayState(found["state"])}) if found else None


async def closed_of_card(conn: Conn, card: tuple[int, int], *, until: datetime) -> list[ClosedStay]:
    """Stays of a card (bucket, card id) that wait for their price and ended until then, in order of exit, then id."""
    found = await conn.fetch(_SQL.closed_of_card, *card, until)
    return [ClosedStay(**dict(row.items())) for row in found]


async def histories(conn: Conn, cards: Sequence[tuple[int, int]]) -> dict[tuple[int, int], CardHistory]:
    """The histories of cards (bucket, card id) that have one."""
    found = await conn.fetch(_SQL.histories, *_card_columns(cards))
    return {(row["bucket"], row["card_id"]): CardHistory(**dict(row.items())) for row in found}


async def write_histories(
    conn: Conn, owner: str, new: Sequence[CardHistory], now: datetime
) -> frozenset[tuple[int, int]]:
    """Write these versions where they are the next ones; the cards (bucket, card id) whose history is written."""
    done = await conn.fetch(
        _SQL.write_histories,
        owner,
        now,
        *_card_columns([(one.bucket, one.card_id) for one in new]),
        [one.version for one in new],
        [one.used for one in new],
        [one.chains for one in new],
        [one.window_s for one in new],
    )
    return frozenset((row["bucket"], row["card_id"]) for row in done)


async def price_stays(conn: Conn, owner: str, priced: Sequence[PricedStay], now: datetime) -> int:
    """How many stays got their price now."""
    if not priced:
        return 0
    done = await conn.fetch(
        _SQL.price_stays,
        owner,
        now,
        [stay.bucket for stay in priced],
        [stay.stay_id for stay in priced],
        [stay.tariff_sha256 for stay in priced],
        [stay.tzdata_version for stay in priced],
        [stay.fee_minor for stay in priced],
        [stay.fee_lines for stay in priced],
    )
    return len(done)


async def abandon_open(conn: Conn, limits: Mapping[int, datetime], reason: str) -> int:
    """Give up open stays per lot that began before its limit; how many."""
    return len(await conn.fetch(_SQL.abandon_open, reason, list(limits), list(limits.values())))


def _state(stay: NewStay) -> StayState:
    if stay.abandoned:
        return StayState.ABANDONED
    return StayState.OPEN if stay.exit is None else StayState.CLOSED


def _group(row: Row) -> Group:
    return Group(row["bucket"], row["card_id"], row["lot_id"])


def _entry(row: Row) -> StayEnd:
    return StayEnd((row["entry_gate_id"], row["entry_epoch"], row["entry_seq"]), row["entry_at"])


def _group_columns(groups: Sequence[Group]) -> tuple[list[int], list[int], list[int]]:
    return [one.bucket for one in groups], [one.card_id for one in groups], [one.lot_id for one in groups]


def _card_columns(cards: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [bucket for bucket, _ in cards], [card_id for _, card_id in cards]


def _end_columns(ends: Sequence[StayEnd | None]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Gate, epoch, seq and instant as arrays; all four are null where there is no end."""
    events = [(None, None, None) if end is None else end.event for end in ends]
    return (
        [event[0] for event in events],
        [event[1] for event in events],
        [event[2] for event in events],
        [None if end is None else end.at for end in ends],
    )
