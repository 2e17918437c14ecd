"""Card returns: asked for, withdrawn, decided at each pass, refunded once and completed."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final

from parkflow.account import service as accounts
from parkflow.agreement import service as agreements
from parkflow.card import service as cards
from parkflow.card_return import store
from parkflow.card_return.rules import Blocked, BlockReason, Refund, decide_return, events_of
from parkflow.card_return.state import CARD_RETURN, ReturnEvent
from parkflow.card_return.store import CardReturn, NewReturn, Releasing, Undecided
from parkflow.db.conn import Conn
from parkflow.db.transition import Change, subject, transition, transition_many
from parkflow.db.tx import in_tx
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import bucket_of, new_id
from parkflow.kit.money import format_minor
from parkflow.notice import service as notices
from parkflow.notice.service import Message
from parkflow.refund import service as refunds
from parkflow.refund.state import RefundState
from parkflow.services import Services
from parkflow.vault import Vault

__all__ = ["CardReturn"]

ID_PREFIX: Final = "ret"
RETURNS_BATCH_MAX: Final = 1_000
# The channel is asked again to end an agreement; nobody waits for it, the money is back by then.
AGREEMENT_RETRY: Final = timedelta(minutes=15)
_IN_ARREARS: Final = "Your card return waits: there is parking that could not be paid. Repay it in the app."
_RETURNED: Final = "Your card is returned and the agreement has ended.{paid_back}"
_PAID_BACK: Final = " Your deposit of {deposit} was paid back."
_LOG = logging.getLogger(__name__)


class ReturnNotOpen(ParkflowError):
    """The card has no return that could still be withdrawn."""

    code = "return_not_open"
    status = 409


async def request(conn: Conn, *, account_id: int, card_id: int, now: datetime, wait: timedelta) -> CardReturn:
    """Hand the card in: no more codes from now on, the deposit back after `wait` at the earliest.

    Asking again while a return is open gives the same return. Raises NotFound when the card is not the account's, and
    what the card room raises when it is not active or frozen.
    """
    bucket = bucket_of(card_id)
    card = await cards.lock_own(conn, account_id=account_id, card_id=card_id)
    before = await store.latest(conn, bucket=bucket, account_id=account_id, card_id=card_id)
    if before is not None and before.ended_at is None:
        return before
    await cards.begin_return(conn, bucket=bucket, card_id=card_id, now=now)
    new = NewReturn(
        bucket=bucket,
        return_id=new_id(bucket),
        card_id=card_id,
        account_id=account_id,
        operator_id=card.operator_id,
        requested_at=now,
        release_after=now + wait,
    )
    await store.insert(conn, new)
    return await of_card(conn, account_id=account_id, card_id=card_id)


async def of_card(conn: Conn, *, account_id: int, card_id: int) -> CardReturn:
    """The open return of a card, else its last one. Raises NotFound."""
    found = await store.latest(conn, bucket=bucket_of(card_id), account_id=account_id, card_id=card_id)
    if found is None:
        raise NotFound("the card was never returned")
    return found


async def withdraw(conn: Conn, *, account_id: int, card_id: int, now: datetime) -> CardReturn:
    """Take the card back while nothing has been refunded. Raises NotFound, ReturnNotOpen."""
    found = await of_card(conn, account_id=account_id, card_id=card_id)
    if found.state not in CARD_RETURN.sources(ReturnEvent.WITHDRAW):
        raise ReturnNotOpen(f"the return is {found.state}; it can be withdrawn only before the refund begins")
    await cards.lock_card(conn, bucket_of(card_id), card_id)
    change = Change(at=now, columns={"ended_at": now, "blocked_reason": None})
    target = subject("card_return", found.return_id, id_column="return_id")
    await transition(conn, CARD_RETURN, target, ReturnEvent.WITHDRAW, change)
    await cards.withdraw_return(conn, bucket=bucket_of(card_id), card_id=card_id, now=now)
    return await of_card(conn, account_id=account_id, card_id=card_id)


async def except_gate(
    conn: Conn, *, operator_id: int, gate_id: int, until_at: datetime, token_name: str, now: datetime
) -> None:
    """Returns requested up to `until_at` no longer wait for this gate's uploads. Raises NotFound."""
    written = await store.insert_exception(
        conn, operator_id=operator_id, gate_id=gate_id, until_at=until_at, token_name=token_name, now=now
    )
    if not written:
        raise NotFound("there is no such gate")


async def advance(services: Services, *, buckets: Sequence[int], now: datetime) -> int:
    """Decide every open return and complete those whose refund has succeeded; number of returns that moved."""
    moved = 0
    after_id: int | None = -1
    while after_id is not None:
        work = partial(_decide_batch, vault=services.vault, buckets=buckets, after_id=after_id, now=now)
        done, after_id = await in_tx(services.pool, work)
        moved += done
    return moved + await _complete_refunded(services, buckets=buckets, now=now)


async def _decide_batch(
    conn: Conn, *, vault: Vault, buckets: Sequence[int], after_id: int, now: datetime
) -> tuple[int, int | None]:
    batch = await store.undecided(conn, buckets, after_id=after_id, limit=RETURNS_BATCH_MAX)
    moves = []
    for case in batch:
        decision = decide_return(now=now, release_after=case.release_after, facts=case.facts)
        if events := events_of(state=case.state, blocked_reason=case.blocked_reason, decision=decision):
            moves.append((case, decision, events))
    await _wait(conn, [case for case, _, events in moves if ReturnEvent.WAIT in events], now)
    blocked = [(decision.reason, case) for case, decision, _ in moves if isinstance(decision, Blocked)]
    for reason, group in groupby(sorted(blocked, key=lambda item: item[0]), key=lambda item: item[0]):
        await _block(conn, vault, reason, [case for _, case in group], now)
    await _release(conn, [case for case, decision, _ in moves if isinstance(decision, Refund)], now)
    return len(moves), batch[-1].return_id if len(batch) == RETURNS_BATCH_MAX else None


async def _wait(conn: Conn, cases: Sequence[Undecided], now: datetime) -> None:
    change = Change(at=now, columns={"blocked_reason": None, "decided_at": now})
    await _move(conn, cases, ReturnEvent.WAIT, change)


async def _block(conn: Conn, vault: Vault, reason: BlockReason, cases: Sequence[Undecided], now: datetime) -> None:
    change = Change(at=now, reason=reason, columns={"blocked_reason": reason.value, "decided_at": now})
    moved = await _move(conn, cases, ReturnEvent.BLOCK, change)
    await store.count_blocks(conn, [(case.bucket, case.return_id) for case in moved])
    if reason is BlockReason.ARREARS:
        await _tell(conn, vault, [case.card_id for case in moved], kind="return_in_arrears", body=_IN_ARREARS, now=now)


async def _release(conn: Conn, cases: Sequence[Undecided], now: datetime) -> None:
    # Of two workers only the one whose update landed asks for the refund.
    for case in await _move(conn, cases, ReturnEvent.RELEASE, Change(at=now, columns={"decided_at": now})):
        if case.facts.deposit_minor > 0:
            await refunds.request_deposit(conn, card_id=case.card_id, now=now)


async def _move(conn: Conn, cases: Sequence[Undecided], event: ReturnEvent, change: Change) -> list[Undecided]:
    if not cases:
        return []
    ids = [case.return_id for case in cases]
    steps = await transition_many(conn, CARD_RETURN, ids, event, change, id_column="return_id")
    landed = {step.subject_id for step in steps}
    return [case for case in cases if case.return_id in landed]


async def _complete_refunded(services: Services, *, buckets: Sequence[int], now: datetime) -> int:
    async with services.pool.acquire() as conn:
        waiting = await store.releasing(conn, buckets, now=now, limit=RETURNS_BATCH_MAX)
    done = 0
    for case in waiting:
        # Without a refund on record there was no deposit; it is recorded with the release.
        if case.refund_state in (None, RefundState.SUCCEEDED):
            done += await _complete(services, case, now)
    return done


async def _complete(services: Services, case: Releasing, now: datetime) -> int:
    # The agreement ends before completion and outside a transaction: a channel that is down delays this return alone.
    if case.agreement_to_end is not None and not await agreements.end(
        services, bucket=case.bucket, agreement_id=case.agreement_to_end, now=now
    ):
        _LOG.warning("the agreement of return %d is not ended yet; the channel is asked again", case.return_id)
        async with services.pool.acquire() as conn:
            until = now + AGREEMENT_RETRY
            await store.postpone(conn, bucket=case.bucket, return_id=case.return_id, until=until)
        return 0
    return await in_tx(services.pool, lambda conn: _close(conn, services.vault, case, now))


async def _close(conn: Conn, vault: Vault, case: Releasing, now: datetime) -> int:
    await cards.lock_card(conn, case.bucket, case.card_id)
    change = Change(at=now, columns={"ended_at": now})
    ids = [case.return_id]
    if not await transition_many(conn, CARD_RETURN, ids, ReturnEvent.COMPLETE, change, id_column="return_id"):
        return 0
    await cards.finish_return(conn, bucket=case.bucket, card_id=case.card_id, now=now)
    paid_back = ""
    if case.amount_minor is not None and case.currency is not None:
        paid_back = _PAID_BACK.format(deposit=format_minor(case.amount_minor, case.currency))
    await _tell(conn, vault, [case.card_id], kind="card_returned", body=_RETURNED.format(paid_back=paid_back), now=now)
    return 1


async def _tell(conn: Conn, vault: Vault, card_ids: Sequence[int], *, kind: str, body: str, now: datetime) -> None:
    found = await cards.many(conn, card_ids)
    phones = await accounts.phones(conn, vault, [card.account_id for card in found.values()])
    messages = [Message(bucket_of(ident), phones[card.account_id], body) for ident, card in sorted(found.items())]
    await notices.enqueue(conn, vault, messages, kind=kind, now=now)
