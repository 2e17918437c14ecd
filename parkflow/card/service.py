"""Issuing cards, what freezes and thaws them, and their return; all of it under the card's row lock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from parkflow.agreement import service as agreements
from parkflow.agreement.service import Payer
from parkflow.agreement.state import AgreementState
from parkflow.card import store
from parkflow.card.state import CARD, CardEvent, CardState, FreezeReason
from parkflow.card.store import Card, Enrolment, StateChange
from parkflow.db.conn import Conn
from parkflow.db.transition import Change, Subject, transition, transition_many
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import bucket_of, new_id
from parkflow.operator.service import Operator

__all__ = ["Card", "CardState", "FreezeReason", "StateChange"]

ID_PREFIX: Final = "card"


class CardExists(ParkflowError):
    """The driver has a card in use at this operator with another agreement or class; hand that one in first."""

    code = "card_exists"
    status = 409


class AgreementNotActive(ParkflowError):
    """A card needs an agreement that the driver has confirmed at the channel."""

    code = "agreement_not_active"
    status = 409


async def issue(
    conn: Conn, *, account_id: int, operator: Operator, agreement_id: int, vehicle_class: str, now: datetime
) -> Card:
    """A card for the driver at the operator; active at once when the operator takes no deposit.

    Asking again gives the same card. Raises NotFound for an agreement of someone else, AgreementNotActive, CardExists.
    """
    agreement = await agreements.get(conn, account_id=account_id, agreement_id=agreement_id)
    known = await store.in_use(conn, account_id=account_id, operator_id=operator.operator_id)
    if known is None:
        if agreement.state is not AgreementState.ACTIVE:
            raise AgreementNotActive
        card = Card(
            card_id=new_id(bucket_of(account_id)),
            account_id=account_id,
            operator_id=operator.operator_id,
            agreement_id=agreement_id,
            vehicle_class=vehicle_class,
            state=CARD.initial,
            deposit_minor=operator.deposit_minor,
            last_serial=0,
            created_at=now,
        )
        if await store.insert(conn, card):
            return await _activated_without_deposit(conn, card, now=now)
        known = await store.in_use(conn, account_id=account_id, operator_id=operator.operator_id)
    if known is None or (known.agreement_id, known.vehicle_class) != (agreement_id, vehicle_class):
        raise CardExists
    return known


async def get(conn: Conn, *, account_id: int, card_id: int) -> Card:
    """The driver's card. Raises NotFound, also for a card of someone else."""
    return _own(await store.one(conn, card_id), account_id)


async def of_account(conn: Conn, account_id: int) -> list[Card]:
    """The driver's cards, oldest first, also those handed in."""
    return await store.of_account(conn, account_id)


async def many(conn: Conn, card_ids: Sequence[int]) -> dict[int, Card]:
    """Cards by id, for rooms above."""
    return {card.card_id: card for card in await store.many(conn, sorted(set(card_ids)))}


async def enrolments(conn: Conn, card_ids: Sequence[int]) -> dict[int, Enrolment]:
    """Operator and vehicle class by card, for the many stays that begin."""
    return await store.enrolments(conn, sorted(set(card_ids)))


async def of_accounts(conn: Conn, account_ids: Sequence[int], *, operator_ids: Sequence[int]) -> list[Card]:
    """The accounts' cards at the operators, also those handed in; for rooms above."""
    return await store.of_accounts(conn, sorted(set(account_ids)), operator_ids=sorted(set(operator_ids)))


async def state_changes(conn: Conn, card_ids: Sequence[int]) -> dict[int, list[StateChange]]:
    """What happened to the states of cards, each card's in order of time; one that never changed is not in it."""
    return await store.state_changes(conn, sorted(set(card_ids)))


async def lock_card(conn: Conn, bucket: int, card_id: int) -> Card:
    """The card, locked to the end of the transaction: what issues codes and what freezes wait for each other here.

    Raises NotFound.
    """
    card = await store.lock_one(conn, bucket, card_id)
    if card is None:
        raise NotFound("there is no such card")
    return card


async def lock_own(conn: Conn, *, account_id: int, card_id: int) -> Card:
    """Like `lock_card`, for the driver's own card only."""
    return _own(await store.lock_one(conn, bucket_of(card_id), card_id), account_id)


async def reasons(conn: Conn, card_ids: Sequence[int]) -> dict[int, list[FreezeReason]]:
    """Why each card is frozen (or would be, if it were not returning)."""
    return await store.reasons(conn, card_ids)


async def take_serial(conn: Conn, card_id: int) -> int:
    """The next serial of the card's credentials, counted from 1."""
    return await store.take_serial(conn, card_id)


async def payers(conn: Conn, bucket_cards: Sequence[tuple[int, int]]) -> dict[int, Payer]:
    """Through which channel, and as whom, each card given as (bucket, card id) is deducted."""
    found = await store.many(conn, sorted({card_id for _, card_id in bucket_cards}))
    payers = await agreements.payers(conn, [card.agreement_id for card in found])
    return {card.card_id: payers[card.agreement_id] for card in found}


async def agreement_in_use(conn: Conn, *, account_id: int, agreement_id: int) -> bool:
    """Whether a card that is not returned still pays through the agreement."""
    return await store.count_with_agreement(conn, account_id=account_id, agreement_id=agreement_id) > 0


async def activate_funded(conn: Conn, bucket_cards: Sequence[tuple[int, int]], *, now: datetime) -> list[int]:
    """Cards, as (bucket, card id), whose deposit is paid become active, or frozen where a reason stands.

    Returns those that changed.
    """
    card_ids = [card_id for _, card_id in bucket_cards]
    steps = await transition_many(conn, CARD, card_ids, CardEvent.FUND, Change(now, "deposit_paid"))
    moved = [step.subject_id for step in steps]
    await _freeze_where_reasons_stand(conn, moved, now=now)
    return moved


async def freeze(
    conn: Conn,
    *,
    bucket: int,
    card_ids: Sequence[int],
    reason: FreezeReason,
    now: datetime,
    actor: str | None = None,
) -> list[int]:
    """Put a reason on cards of one bucket; returns those that were active and are frozen now.

    A card that is not active keeps the reason for when it becomes active.
    """
    locked = await store.lock_in_bucket(conn, bucket, card_ids)
    await store.add_reason(conn, bucket, locked, reason=reason, now=now)
    steps = await transition_many(conn, CARD, locked, CardEvent.FREEZE, Change(now, reason, actor))
    return [step.subject_id for step in steps]


async def thaw(
    conn: Conn,
    *,
    bucket: int,
    card_ids: Sequence[int],
    reason: FreezeReason,
    now: datetime,
    actor: str | None = None,
) -> list[int]:
    """Lift a reason from cards of one bucket; returns those that had no other and are active again."""
    # The lock comes first: a freeze for another reason must be seen here, or must wait and find the card active.
    locked = await store.lock_in_bucket(conn, bucket, card_ids)
    await store.lift_reason(conn, bucket, locked, reason=reason)
    held = await store.reasons(conn, locked)
    free = [card_id for card_id in locked if card_id not in held]
    steps = await transition_many(conn, CARD, free, CardEvent.THAW, Change(now, reason, actor))
    return [step.subject_id for step in steps]


async def begin_return(conn: Conn, *, bucket: int, card_id: int, now: datetime) -> None:
    """No credential is issued for the card from here on. Raises IllegalTransition, NotFound."""
    await transition(conn, CARD, _subject(bucket, card_id), CardEvent.REQUEST_RETURN, Change(now))


async def withdraw_return(conn: Conn, *, bucket: int, card_id: int, now: datetime) -> None:
    """The driver keeps the card; one with a reason to be frozen is frozen. Raises IllegalTransition, NotFound."""
    await lock_card(conn, bucket, card_id)
    await transition(conn, CARD, _subject(bucket, card_id), CardEvent.WITHDRAW_RETURN, Change(now))
    await _freeze_where_reasons_stand(conn, [card_id], now=now)


async def finish_return(conn: Conn, *, bucket: int, card_id: int, now: datetime) -> None:
    """The card is gone. Raises IllegalTransition, NotFound."""
    await transition(conn, CARD, _subject(bucket, card_id), CardEvent.FINISH_RETURN, Change(now))


async def _activated_without_deposit(conn: Conn, card: Card, *, now: datetime) -> Card:
    if card.deposit_minor > 0:
        return card
    change = Change(now, "no_deposit")
    await transition(conn, CARD, _subject(card.bucket, card.card_id), CardEvent.FUND, change)
    return _own(await store.one(conn, card.card_id), card.account_id)


async def _freeze_where_reasons_stand(conn: Conn, card_ids: Sequence[int], *, now: datetime) -> None:
    held = await store.reasons(conn, card_ids)
    if held:
        await transition_many(conn, CARD, list(held), CardEvent.FREEZE, Change(now, "reason_stands"))


def _subject(bucket: int, card_id: int) -> Subject:
    return Subject("card", {"bucket": bucket, "card_id": card_id}, bucket, card_id)


def _own(card: Card | None, account_id: int) -> Card:
    if card is None or card.account_id != account_id:
        raise NotFound("there is no such card")
    return card
