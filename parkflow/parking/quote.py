"""Quotes: what a stay that is still open costs if the car leaves at a given instant, priced as it will be.

A quote is an answer and not a promise: it changes nothing, is not stored, and says what is true while nothing else
happens. A tariff that is assigned later, or another stay of the card that ends first, may change the fee.
"""

import asyncio
import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from parkflow import core
from parkflow.db.conn import Conn, Pool
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import bucket_of, derived_id
from parkflow.parking import pricing, store
from parkflow.parking.pricing import Rated
from parkflow.parking.state import StayState
from parkflow.parking.store import CardHistory, ClosedStay, StayToQuote
from parkflow.tariff import service as tariff_service
from parkflow.tariff.rules import Assignment, version_for, versions_for
from parkflow.tariff.steps import next_rise

ID_PREFIX: Final = "quote"
AHEAD_MAX: Final = timedelta(hours=24)
# Above every fee: where a stay has no price, whatever is said of it ends.
_NO_PRICE: Final = 1 << 63


class StayIsOver(ParkflowError):
    """The stay is over, so there is no quote; ask for its receipt (`/receipt` in place of `/quote`)."""

    code = "stay_is_over"
    status = 409


class ExitBeforeEntry(ParkflowError):
    """A car leaves after it came: give an `exit_at` that is not before the stay's entry."""

    code = "exit_before_entry"
    status = 422


class ExitTooFar(ParkflowError):
    """A quote is for an exit at most 24 hours from now."""

    code = "exit_too_far"
    status = 422


class NoTariffInForce(ParkflowError):
    """The lot has no tariff for this stay yet, so it has no price."""

    code = "no_tariff_in_force"
    status = 409


class NoPriceThen(ParkflowError):
    """The lot's tariff has no price for a stay that ends then."""

    code = "no_price_then"
    status = 409


@dataclass(frozen=True, slots=True)
class Question:
    """Which stay, asked by whom (None: anybody), and when the car would leave (None: now)."""

    stay_id: int
    account_id: int | None
    operator_id: int | None
    exit_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grounds:
    """All that a quote follows from.

    `earlier` are the card's stays that are over and wait for their price, in order of exit, then id, under tariffs that
    count over several stays; `history` is the card's as it is stored, before them.
    """

    stay: StayToQuote
    at: datetime
    assignments: Sequence[Assignment]
    tariffs: Mapping[bytes, core.Tariff]
    earlier: Sequence[Rated]
    history: CardHistory


@dataclass(frozen=True, slots=True)
class Quote:
    """What leaving `at` costs; `record` is the one that the stay will be priced with if it ends then.

    free_until: the last instant at which leaving costs nothing; None when it costs something `at` that instant, or when
    no end of it is found. rises_at, rises_to_minor: the first whole second after `at` at which the fee is larger, and
    that fee. Both look AHEAD_MAX ahead and no further than the stay has a price.
    """

    quote_id: int
    stay_id: int
    at: datetime
    tariff: core.Tariff
    record: Mapping[str, Any]
    free_until: datetime | None
    rises_at: datetime | None
    rises_to_minor: int | None


async def quote(pool: Pool, asked: Question, *, now: datetime) -> Quote:
    """The quote of an open stay.

    Raises NotFound for another's stay, StayIsOver, ExitBeforeEntry, ExitTooFar, NoTariffInForce, NoPriceThen.
    """
    # One snapshot: a stay that is priced meanwhile is either waiting or in the history, never both or neither.
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        found = await grounds(conn, asked, now=now)
    return await asyncio.to_thread(answer, found)


async def grounds(conn: Conn, asked: Question, *, now: datetime) -> Grounds:
    """What the answer follows from, read in the caller's transaction. Raises as `quote`, but for the price."""
    stay = await store.stay_to_quote(conn, asked.stay_id, account_id=asked.account_id, operator_id=asked.operator_id)
    if stay is None:
        raise NotFound("there is no such stay")
    if stay.state is not StayState.OPEN:
        raise StayIsOver
    at = _exit(asked, stay, now)
    assignments = await tariff_service.assignments(conn, stay.lot_id)
    hashes = versions_for(assignments, entry_at=stay.entry_at, exit_from=at, exit_to=at + AHEAD_MAX)
    tariffs = await tariff_service.parsed(conn, sorted(hashes))
    card = stay.bucket, stay.card_id
    earlier, history = [], pricing.fresh_history(card)
    if any(tariff.needs_history for tariff in tariffs.values()):
        history = (await store.histories(conn, [card])).get(card, history)
        closed = await store.closed_of_card(conn, card, until=at + AHEAD_MAX)
        earlier = [one for one in await pricing.rate(conn, closed) if one.tariff.needs_history]
    return Grounds(stay, at, assignments, tariffs, earlier, history)


def answer(found: Grounds) -> Quote:
    """The quote that follows; prices up to a day of minutes, so call it off the event loop.

    Raises NoTariffInForce, NoPriceThen.
    """
    priced = _Priced(found)
    one = priced.rated(found.at)
    if one is None:
        raise NoTariffInForce
    try:
        fee = priced.fee(one)
    except core.TariffError as error:
        raise NoPriceThen(f"the lot's tariff has no price for a stay that ends then: {error}") from error
    record = json.loads(fee.to_json())
    second = found.at.replace(microsecond=0)
    rise = next_rise(
        lambda after_s: priced.fees_minor([second + timedelta(seconds=s) if s else found.at for s in after_s]),
        int(AHEAD_MAX.total_seconds()),
    )
    rises_at = second + timedelta(seconds=rise.from_s) if rise else None
    free = fee.fee_minor == 0 and rises_at is not None
    rises = rise is not None and rise.fee_minor < _NO_PRICE
    return Quote(
        quote_id(found.stay.stay_id, record),
        found.stay.stay_id,
        found.at,
        one.tariff,
        record,
        free_until=max(found.at, rises_at - timedelta(seconds=1)) if free and rises_at else None,
        rises_at=rises_at if rises else None,
        rises_to_minor=rise.fee_minor if rise and rises else None,
    )


def quote_id(stay_id: int, record: Mapping[str, Any]) -> int:
    """The id of the quote of a stay with this record of a fee, be it the quote's or that of the receipt.

    Derived from the stay, the tariff's SHA-256, the version of the time zones, the second of the exit and the fee.
    """
    parts = (record["tariff_sha256"], record["tzdata_version"], str(record["exit_s"]), str(record["fee_minor"]))
    return derived_id(bucket_of(stay_id), b"quote", stay_id.to_bytes(8, "big"), *(part.encode() for part in parts))


class _Priced:
    """The stay for any exit, each time as if nothing had been asked before."""

    def __init__(self, found: Grounds) -> None:
        self._found = found
        # After each of the earlier stays: which it was, and the card's history then.
        self._ends = [(one.stay.exit_at, one.stay.stay_id) for one in found.earlier]
        self._histories = [found.history]
        for one in found.earlier:
            self._histories.append(pricing.settle(self._histories[-1], [one]).history)

    def rated(self, exit_at: datetime) -> Rated | None:
        """The stay as if it ended then, with the version that prices it, if there is one."""
        stay = self._found.stay
        sha256 = self._version(exit_at)
        if sha256 is None:
            return None
        closed = ClosedStay(
            stay.bucket,
            stay.stay_id,
            stay.card_id,
            stay.operator_id,
            stay.lot_id,
            stay.vehicle_class,
            stay.entry_at,
            exit_at,
        )
        return Rated(closed, sha256, self._found.tariffs[sha256])

    def fee(self, one: Rated) -> core.Fee:
        """Raises TariffError."""
        if not one.tariff.needs_history:
            return pricing.fee_of(one, None)
        before = self._histories[bisect_left(self._ends, (one.stay.exit_at, one.stay.stay_id))]
        return pricing.fee_of(one, pricing.account_in(before, one.stay.lot_id))

    def fees_minor(self, exits: Sequence[datetime]) -> list[int]:
        """The fee for each exit; _NO_PRICE where there is none."""
        places: dict[bytes | None, list[int]] = {}
        for place, exit_at in enumerate(exits):
            places.setdefault(self._version(exit_at), []).append(place)
        fees = [_NO_PRICE] * len(exits)
        for sha256, those in places.items():
            if sha256 is not None:
                for place, fee_minor in zip(those, self._fees(sha256, [exits[place] for place in those]), strict=True):
                    fees[place] = fee_minor
        return fees

    def _fees(self, sha256: bytes, exits: Sequence[datetime]) -> list[int]:
        """Of exits that one version prices: in one call, where each stay stands alone."""
        stay, tariff = self._found.stay, self._found.tariffs[sha256]
        if not tariff.needs_history:
            entry_s = int(stay.entry_at.timestamp())
            # It refuses a list with one stay that has no price; then each is asked for by itself.
            with suppress(core.TariffError):
                return tariff.price_many(
                    [entry_s] * len(exits),
                    [int(exit_at.timestamp()) for exit_at in exits],
                    vehicle_class=stay.vehicle_class,
                )
        return [self._fee_minor(exit_at) for exit_at in exits]

    def _version(self, exit_at: datetime) -> bytes | None:
        return version_for(self._found.assignments, entry_at=self._found.stay.entry_at, exit_at=exit_at)

    def _fee_minor(self, exit_at: datetime) -> int:
        one = self.rated(exit_at)
        if one is None:
            return _NO_PRICE
        try:
            return self.fee(one).fee_minor
        except core.TariffError:
            return _NO_PRICE


def _exit(asked: Question, stay: StayToQuote, now: datetime) -> datetime:
    if asked.exit_at is None:
        # The clock of a gate may be a little ahead of ours.
        return max(now, stay.entry_at)
    if asked.exit_at < stay.entry_at:
        raise ExitBeforeEntry
    if asked.exit_at > now + AHEAD_MAX:
        raise ExitTooFar
    return asked.exit_at.astimezone(UTC)
