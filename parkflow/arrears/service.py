"""Arrears: counted at the cut-off, freezing the card, cleared as soon as the charge is paid."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Final

from parkflow.account import service as accounts
from parkflow.arrears import store
from parkflow.arrears.store import NewArrears, OpenArrears
from parkflow.card import service as cards
from parkflow.card.state import FreezeReason
from parkflow.charge import pay
from parkflow.charge import service as charges
from parkflow.charge.pay import PayState
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import bucket_of
from parkflow.kit.money import format_minor
from parkflow.notice import service as notices
from parkflow.notice.service import Message
from parkflow.operator import service as operators
from parkflow.services import Services
from parkflow.vault import Vault

CLEAR_BATCH_MAX: Final = 2_000
NOTICE_KIND: Final = "arrears"
_NOTICE: Final = "Your parking of {day} could not be paid: {owed}. Your card is frozen until you repay it in the app."


class SeveralCurrencies(ParkflowError):
    """The arrears are in several currencies: repay them card by card, naming card_id."""

    code = "several_currencies"
    status = 409


@dataclass(frozen=True, slots=True)
class Repayment:
    """What one repayment did; amounts in minor units of `currency` (None when nothing was owed).

    state: `paid` (nothing is left), `unknown` (an answer is outstanding and settles by itself) or `declined`.
    """

    paid_minor: int
    left_minor: int
    currency: str | None
    state: str


async def collect(conn: Conn, vault: Vault, *, operator_id: int, day: date, now: datetime) -> int:
    """Count the operator's due and declined charges as arrears of `day`, freeze their cards and tell the drivers.

    Charges with an attempt that may still succeed are left for the next day. Returns the number of new rows.
    """
    marked = await charges.mark_arrears(conn, operator_id=operator_id, now=now)
    rows = [NewArrears(row.bucket, row.charge_id, row.card_id, row.amount_minor) for row in marked]
    fresh = await store.insert(conn, rows, operator_id=operator_id, day=day, now=now)
    for bucket, card_ids in _by_bucket({row.card_id for row in fresh}):
        await cards.freeze(conn, bucket=bucket, card_ids=card_ids, reason=FreezeReason.ARREARS, now=now)
    await _tell(conn, vault, fresh, operator_id=operator_id, day=day, now=now)
    return len(fresh)


async def clear_paid(conn: Conn, *, buckets: Sequence[int], now: datetime) -> int:
    """Clear arrears whose charge has been paid and thaw the cards that have none left; number of rows cleared."""
    paid = await store.paid(conn, buckets, limit=CLEAR_BATCH_MAX)
    if not paid:
        return 0
    touched = await store.clear(conn, paid, now=now)
    for card_id in touched:
        # A cut-off freezes under the same lock, so new arrears of the card are either seen below or freeze it after us.
        await cards.lock_card(conn, bucket_of(card_id), card_id)
    for bucket, card_ids in _by_bucket(set(await store.without_open(conn, touched))):
        await cards.thaw(conn, bucket=bucket, card_ids=card_ids, reason=FreezeReason.ARREARS, now=now)
    return len(paid)


async def open_of_account(conn: Conn, *, account_id: int, card_id: int | None = None) -> list[OpenArrears]:
    """What one driver owes as counted by cut-offs, oldest first; on one card or on all."""
    return await store.open_of_account(conn, bucket=bucket_of(account_id), account_id=account_id, card_id=card_id)


async def repay(services: Services, *, account_id: int, card_id: int | None, now: datetime) -> Repayment:
    """Take all that the driver owes (on one card or on all) now, and thaw the cards if that leaves nothing.

    Raises NotFound for a card of someone else, SeveralCurrencies.
    """
    async with services.pool.acquire() as conn:
        if card_id is not None:
            await cards.get(conn, account_id=account_id, card_id=card_id)
        owed = await open_of_account(conn, account_id=account_id, card_id=card_id)
    if not owed:
        return Repayment(paid_minor=0, left_minor=0, currency=None, state="paid")
    currency = _one_currency(owed)
    bucket = bucket_of(account_id)
    results = await pay.pay_now(
        services, bucket=bucket, charge_ids=[row.charge_id for row in owed], purpose="repay", now=now
    )
    await in_tx(services.pool, lambda conn: clear_paid(conn, buckets=[bucket], now=now))
    async with services.pool.acquire() as conn:
        left = await open_of_account(conn, account_id=account_id, card_id=card_id)
    return _repayment(owed, left, currency, unknown=any(result.state is PayState.UNKNOWN for result in results))


def _repayment(owed: Sequence[OpenArrears], left: Sequence[OpenArrears], currency: str, *, unknown: bool) -> Repayment:
    left_ids = {row.charge_id for row in left}
    left_minor = sum(row.amount_minor for row in left)
    paid_minor = sum(row.amount_minor for row in owed if row.charge_id not in left_ids)
    state = "paid" if not left else "unknown" if unknown else "declined"
    return Repayment(paid_minor=paid_minor, left_minor=left_minor, currency=currency, state=state)


def _one_currency(owed: Sequence[OpenArrears]) -> str:
    currencies = {row.currency for row in owed}
    if len(currencies) > 1:
        raise SeveralCurrencies
    return currencies.pop()


def _by_bucket(card_ids: set[int]) -> list[tuple[int, list[int]]]:
    # The bucket is the top of the id, so sorted ids are grouped.
    return [(bucket, list(group)) for bucket, group in groupby(sorted(card_ids), bucket_of)]


async def _tell(
    conn: Conn, vault: Vault, fresh: Sequence[NewArrears], *, operator_id: int, day: date, now: datetime
) -> None:
    if not fresh:
        return
    owed: Counter[int] = Counter()
    for row in fresh:
        owed[row.card_id] += row.amount_minor
    found = await cards.many(conn, list(owed))
    phones = await accounts.phones(conn, vault, [card.account_id for card in found.values()])
    currency = (await operators.get(conn, operator_id)).currency
    messages = [
        Message(
            bucket=bucket_of(card_id),
            recipient=phones[found[card_id].account_id],
            body=_NOTICE.format(day=day, owed=format_minor(minor, currency)),
        )
        for card_id, minor in sorted(owed.items())
    ]
    await notices.enqueue(conn, vault, messages, kind=NOTICE_KIND, now=now)
