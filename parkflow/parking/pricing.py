"""Pricing closed stays: each by itself, or after the card's earlier ones where its tariff counts over several stays."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from parkflow import core
from parkflow.db.conn import Conn
from parkflow.jobs.failpoint import failpoint
from parkflow.parking import store
from parkflow.parking.store import CardHistory, ClosedStay, PricedStay
from parkflow.tariff import service as tariff_service
from parkflow.tariff.rules import HISTORY_KEPT

STAYS_PRICED_PER_PASS_MAX: Final = 5_000
_log = logging.getLogger("parkflow.parking")

Card = tuple[int, int]
"""Bucket and id of a card."""


class Rated(NamedTuple):
    """A closed stay with the tariff version that prices it."""

    stay: ClosedStay
    sha256: bytes
    tariff: core.Tariff


@dataclass(frozen=True, slots=True)
class Settled:
    """Stays of one card, priced in order, and its history after them."""

    history: CardHistory
    priced: Sequence[PricedStay]

    @property
    def card(self) -> Card:
        return self.history.bucket, self.history.card_id


class _Overtaken(Exception):
    """Somebody else has priced one of the stays meanwhile."""


async def price_closed(
    conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime, stays_max: int = STAYS_PRICED_PER_PASS_MAX
) -> int:
    """Give closed stays their fee by the tariff version that their lot had for them; how many.

    A stay that cannot be priced (no tariff yet, a stay beyond the tariff's limits) waits and holds up no other. Stays
    of a card under tariffs that count over several stays are settled in order of exit, then id; one that arrives late
    is settled when it arrives, and what is priced stays as it is (PTL/1, S20).
    """
    last: ClosedStay | None = None
    while stays := await store.closed_stays(conn, owner=owner, buckets=buckets, after=last, stays_max=stays_max):
        priced = await _price(conn, owner, stays, now)
        # Beyond a page of which nothing has a price there may be stays that have one.
        if priced or len(stays) < stays_max:
            return priced
        last = stays[-1]
    return 0


async def price_ahead(conn: Conn, stays: Sequence[ClosedStay]) -> dict[int, PricedStay]:
    """Prices of stays that are about to be written as closed, by stay: so they are written once.

    Those that are not in it, because their fee depends on the card's other stays or because they have none, are left to
    `price_closed`, which says why.
    """
    if not stays:
        return {}
    rated = [one for one in await _rated(conn, stays) if one is not None and not one.tariff.needs_history]
    return await asyncio.to_thread(_priced_ahead, rated)


async def _price(conn: Conn, owner: str, stays: Sequence[ClosedStay], now: datetime) -> int:
    rated = await rate(conn, stays)
    alone = [one for one in rated if not one.tariff.needs_history]
    shared = [one for one in rated if one.tariff.needs_history]
    priced = await store.price_stays(conn, owner, await asyncio.to_thread(_priced_alone, alone), now)
    return priced + (await _price_shared(conn, owner, shared, now) if shared else 0)


async def rate(conn: Conn, stays: Sequence[ClosedStay]) -> list[Rated]:
    """The stays that have a tariff version."""
    rated = await _rated(conn, stays)
    for stay, one in zip(stays, rated, strict=True):
        if one is None:
            _log.warning("stay %d cannot be priced: its lot had no tariff for it", stay.stay_id)
    return [one for one in rated if one is not None]


async def _rated(conn: Conn, stays: Sequence[ClosedStay]) -> list[Rated | None]:
    hashes = await tariff_service.in_force(
        conn, [stay.lot_id for stay in stays], [stay.entry_at for stay in stays], [stay.exit_at for stay in stays]
    )
    tariffs = await tariff_service.parsed(conn, sorted({sha256 for sha256 in hashes if sha256 is not None}))
    return [
        None if sha256 is None else Rated(stay, sha256, tariffs[sha256])
        for stay, sha256 in zip(stays, hashes, strict=True)
    ]


async def _price_shared(conn: Conn, owner: str, rated: Sequence[Rated], now: datetime) -> int:
    """Price stays and move the histories of their cards on, both or neither."""
    # They come in order of exit, then id, and those of a card that the page leaves out are later ones.
    by_card: dict[Card, list[Rated]] = {}
    for one in rated:
        by_card.setdefault(_card(one.stay), []).append(one)
    known = await store.histories(conn, list(by_card))
    settled = await asyncio.to_thread(_settled, by_card, known)
    try:
        # Within the caller's transaction: what it did before stands when this is given up.
        async with conn.transaction():
            written = await store.write_histories(conn, owner, [one.history for one in settled], now)
            failpoint("price.histories")
            stays = [stay for one in settled if one.card in written for stay in one.priced]
            priced = await store.price_stays(conn, owner, stays, now)
            if priced != len(stays):
                raise _Overtaken
    except _Overtaken:
        _log.warning("stays were priced by another worker at the same time; the rest follows in the next pass")
        return 0
    failpoint("price.stays")
    return priced


def _settled(by_card: Mapping[Card, Sequence[Rated]], known: Mapping[Card, CardHistory]) -> list[Settled]:
    """The cards of which at least one stay could be priced."""
    settled = (settle(known.get(card, fresh_history(card)), rated) for card, rated in by_card.items())
    return [one for one in settled if one.priced]


def fresh_history(card: Card) -> CardHistory:
    """The history of a card of which no stay has been settled."""
    return CardHistory(*card, version=0, used={}, chains={}, window_s=0)


def account_in(history: CardHistory, lot_id: int) -> core.AccountHistory:
    """What a stay of the card in this lot is settled after; a copy, to be settled into."""
    lot = str(lot_id)
    chain = {"chain": history.chains[lot]} if lot in history.chains else {}
    return core.AccountHistory.from_json(json.dumps({**history.used, **chain}))


def settle(before: CardHistory, rated: Sequence[Rated]) -> Settled:
    """Price stays of a card, given in order of exit, then id, and move its history on."""
    history, priced = replace(before, version=before.version + 1), []
    for one in rated:
        account = account_in(history, one.stay.lot_id)
        stay = _priced(one, account)
        if stay is None:
            continue
        priced.append(stay)
        window_s = max(history.window_s, one.tariff.shared_window_s)
        account.forget_before(int((one.stay.exit_at - HISTORY_KEPT).timestamp()), window_s)
        used = json.loads(account.to_json())
        chain = {str(one.stay.lot_id): used.pop("chain")} if "chain" in used else {}
        history = replace(history, used=used, chains={**history.chains, **chain}, window_s=window_s)
    return Settled(history, priced)


def _priced_ahead(rated: Sequence[Rated]) -> dict[int, PricedStay]:
    prices = {}
    for one in rated:
        with suppress(core.TariffError):
            prices[one.stay.stay_id] = _price_of(one, None)
    return prices


def _priced_alone(rated: Sequence[Rated]) -> list[PricedStay]:
    priced = (_priced(one, None) for one in rated)
    return [stay for stay in priced if stay is not None]


def _priced(one: Rated, history: core.AccountHistory | None) -> PricedStay | None:
    """The stay with its fee, or None when the tariff refuses it; then the history is as it was."""
    try:
        return _price_of(one, history)
    except core.TariffError as error:
        _log.warning("stay %d cannot be priced: %s", one.stay.stay_id, error)
        return None


def _price_of(one: Rated, history: core.AccountHistory | None) -> PricedStay:
    stay, sha256, tariff = one
    fee = fee_of(one, history)
    return PricedStay(stay.bucket, stay.stay_id, sha256, tariff.tzdata_version, fee.fee_minor, fee.to_json())


def fee_of(one: Rated, history: core.AccountHistory | None) -> core.Fee:
    """The fee of the stay, added to the history where there is one. Raises TariffError when the tariff has none."""
    return one.tariff.settle(
        entry_s=int(one.stay.entry_at.timestamp()),
        exit_s=int(one.stay.exit_at.timestamp()),
        vehicle_class=one.stay.vehicle_class,
        history=history,
    )


def _card(stay: ClosedStay) -> Card:
    return stay.bucket, stay.card_id
