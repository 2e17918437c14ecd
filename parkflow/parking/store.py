"""The rows of stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from parkflow.db.conn import Conn, affected
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of
from parkflow.parking import changes
from parkflow.parking.marks import Mark
from parkflow.parking.rules import StayEnd
from parkflow.parking.state import StayState

_SQL = load(__file__)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_PRICE: Final = (None, None, None, None)


@dataclass(frozen=True, slots=True)
class StayToInsert:
    """A new stay with what it takes from its card and operator."""

    new: changes.NewStay
    operator_id: int
    vehicle_class: str
    currency: str


class ClosedStay(NamedTuple):
    """A stay that has no price yet; the fields in the order of the queries' columns."""

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


class PricedStay(NamedTuple):
    """A stay with its fee: by which tariff, and line by line as the core wrote it (JSON)."""

    bucket: int
    stay_id: int
    tariff_sha256: bytes
    tzdata_version: str
    fee_minor: int
    fee_lines: str


@dataclass(frozen=True, slots=True)
class CardHistory:
    """What the stays of a card have used: `used` in all lots, re-entry `chains` by lot; `version` 0: no row yet."""

    bucket: int
    card_id: int
    version: int
    used: Mapping[str, Any]
    chains: Mapping[str, Any]
    window_s: int


async def insert_stays(
    conn: Conn, owner: str, stays: Sequence[StayToInsert], prices: Mapping[int, PricedStay], now: datetime
) -> None:
    """Those that have a price (by stay) come into being with it."""
    if not stays:
        return
    groups, new = [one.new.group for one in stays], [one.new.stay for one in stays]
    priced = [prices.get(stay.stay_id) for stay in new]
    await conn.execute(
        _SQL.insert_stays,
        owner,
        now,
        [group.bucket for group in groups],
        [stay.stay_id for stay in new],
        [group.card_id for group in groups],
        [one.operator_id for one in stays],
        [group.lot_id for group in groups],
        [one.vehicle_class for one in stays],
        *end_columns([stay.entry for stay in new]),
        *end_columns([stay.exit for stay in new]),
        [stay.state if price is None else StayState.PRICED for stay, price in zip(new, priced, strict=True)],
        [stay.reason for stay in new],
        [one.currency for one in stays],
        [_marks(stay.marks) for stay in new],
        *_price_columns(priced),
    )


async def close_stays(
    conn: Conn, owner: str, closed: Sequence[changes.ClosedStay], prices: Mapping[int, PricedStay], now: datetime
) -> None:
    """Those that have a price (by stay) get it with their end."""
    if closed:
        await conn.execute(
            _SQL.close_stays,
            owner,
            now,
            [one.group.bucket for one in closed],
            [one.stay_id for one in closed],
            *end_columns([one.exit for one in closed]),
            [_marks(one.marks) for one in closed],
            *_price_columns([prices.get(one.stay_id) for one in closed]),
        )


async def closed_stays(
    conn: Conn, *, owner: str, buckets: Sequence[int], after: ClosedStay | None, stays_max: int
) -> list[ClosedStay]:
    """The next page after a stay: each card's stays in order of exit, then id."""
    # No bucket is below 0, so the first page begins before all stays, whatever the rest of its key.
    key = (-1, 0, EPOCH, 0) if after is None else (after.bucket, after.card_id, after.exit_at, after.stay_id)
    found = await conn.fetch(_SQL.closed_stays, owner, list(buckets), *key, stays_max)
    return [ClosedStay(*row.values()) for row in found]


async def stay_to_quote(
    conn: Conn, stay_id: int, *, account_id: int | None, operator_id: int | None
) -> StayToQuote | None:
    """The stay, if it is the account's and the operator's; None for either asks for anybody's."""
    found = await conn.fetchrow(_SQL.stay_to_quote, bucket_of(stay_id), stay_id, account_id, operator_id)
    return StayToQuote(**{**dict(found.items()), "state": StayState(found["state"])}) if found else None


async def closed_of_card(conn: Conn, card: tuple[int, int], *, until: datetime) -> list[ClosedStay]:
    """Stays of a card (bucket, card id) that wait for their price and ended until then, in order of exit, then id."""
    found = await conn.fetch(_SQL.closed_of_card, *card, until)
    return [ClosedStay(*row.values()) for row in found]


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
    done = await conn.execute(
        _SQL.price_stays,
        owner,
        now,
        [stay.bucket for stay in priced],
        [stay.stay_id for stay in priced],
        *_price_columns(priced),
    )
    return affected(done)


def _price_columns(prices: Sequence[PricedStay | None]) -> list[list[Any]]:
    """Tariff, tzdata version, fee and its lines as arrays; null where there is no price."""
    rows = [_NO_PRICE if price is None else price[2:] for price in prices]
    return [list(column) for column in zip(*rows, strict=True)]


def _card_columns(cards: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [bucket for bucket, _ in cards], [card_id for _, card_id in cards]


def _marks(marks: frozenset[Mark]) -> str:
    return ",".join(sorted(marks))


def end_columns(ends: Sequence[StayEnd | None]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Gate, epoch, seq and instant as arrays; null where there is no end, or for an end that no gate saw."""
    events = [(None, None, None) if end is None or end.event is None else end.event for end in ends]
    return (
        [event[0] for event in events],
        [event[1] for event in events],
        [event[2] for event in events],
        [None if end is None else end.at for end in ends],
    )
