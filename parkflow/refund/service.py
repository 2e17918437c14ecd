"""Refunds: asked for once, sent under one number until the channel says that the money is back, then booked."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parkflow import core
from parkflow.channel.port import Channel, FailReason, Result
from parkflow.charge import service as charges
from parkflow.charge.rules import charge_of_order
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import MalformedId, bucket_of
from parkflow.kit.money import Minor
from parkflow.ledger import service as ledger
from parkflow.ledger.service import Posting
from parkflow.refund import rules, store
from parkflow.refund.rules import Verdict
from parkflow.refund.state import RefundState
from parkflow.refund.store import NewRefund, Refund
from parkflow.services import Services
from parkflow.settings import Settings

_log = logging.getLogger("parkflow.refund")
BATCH_MAX: Final = 100
_IN_FLIGHT_MAX: Final = timedelta(seconds=60)


class NothingToRefund(ParkflowError):
    """A refund needs a paid charge, and is at most what is left of it."""

    code = "nothing_to_refund"
    status = 409


class _Heard(NamedTuple):
    refund: Refund
    result: Result
    verdict: Verdict


async def request_deposit(conn: Conn, *, card_id: int, now: datetime) -> bool:
    """Record that a card's deposit goes back; False when that was on record before. Raises NothingToRefund."""
    paid = await charges.paid_order(conn, card_id)
    if paid is None:
        raise NothingToRefund("the card has no paid deposit")
    refund = NewRefund(
        refund_no=rules.whole_refund_number(paid.order_no),
        charge_id=card_id,
        order_no=paid.order_no,
        channel=paid.channel,
        reason="deposit_return",
        amount_minor=paid.amount_minor,
        total_minor=paid.amount_minor,
        currency=paid.currency,
        operator_id=paid.operator_id,
        card_id=card_id,
    )
    return bool(await store.insert_refunds(conn, [refund], now))


async def request_correction(
    conn: Conn, *, charge_id: int, amount_minor: int, settings: Settings, now: datetime
) -> str:
    """Record that part of a paid charge goes back; its refund number. Raises NothingToRefund."""
    paid = await charges.paid_order(conn, charge_id)
    count, promised = await store.count_corrections(conn, charge_id)
    if paid is None or count >= settings.refunds_per_charge_max or not 0 < amount_minor <= paid.amount_minor - promised:
        raise NothingToRefund
    refund = NewRefund(
        refund_no=rules.correction_number(paid.order_no, count + 1),
        charge_id=charge_id,
        order_no=paid.order_no,
        channel=paid.channel,
        reason="correction",
        amount_minor=amount_minor,
        total_minor=paid.amount_minor,
        currency=paid.currency,
        operator_id=paid.operator_id,
        card_id=paid.card_id,
    )
    if not await store.insert_refunds(conn, [refund], now):
        raise NothingToRefund("another refund of this charge was recorded at this moment; try again")
    return refund.refund_no


async def left_minor(conn: Conn, charge_id: int, *, settings: Settings) -> int:
    """How much of a charge may still be given back, beyond what was promised; 0 for one that was not paid."""
    paid = await charges.paid_order(conn, charge_id)
    count, promised_minor = await store.count_corrections(conn, charge_id)
    if paid is None or count >= settings.refunds_per_charge_max:
        return 0
    return paid.amount_minor - promised_minor


async def run(services: Services, *, owner: str, buckets: Sequence[int], now: datetime) -> int:
    """Record refunds of second successes, and send or ask about what is due; how many refunds were tried."""

    async def take(conn: Conn) -> list[Refund]:
        await _pull_surplus(conn, buckets, now=now)
        due = await store.due_refunds(conn, owner=owner, buckets=buckets, now=now, limit=BATCH_MAX)
        reachable = [refund for refund in due if refund.channel in services.channels]
        sent = await store.send_refunds(conn, reachable, now=now, look_again_at=now + _IN_FLIGHT_MAX)
        return [refund for refund in reachable if refund.refund_no in sent]

    taken = await in_tx(services.pool, take)
    for refund in taken:
        # Refunds are few and nobody waits for them: one after the other, each written down before the next.
        result = await _give_back(services.channels[refund.channel], refund)
        await record(services, [result], now=now)
    return len(taken)


async def record(services: Services, results: Sequence[Result], *, now: datetime) -> None:
    """Write answers down in a transaction of their own."""

    async def work(conn: Conn) -> None:
        await record_results(conn, results, settings=services.settings, now=now)

    await in_tx(services.pool, work)


async def record_results(
    conn: Conn, results: Sequence[Result], *, settings: Settings, now: datetime
) -> tuple[str, ...]:
    """Write down what became of refunds; the numbers that we have no refund for."""
    latest = {result.number: result for result in results}
    keys = [(bucket, number) for number in latest if (bucket := bucket_of_refund(number)) is not None]
    known = await store.read_refunds(conn, keys)
    heard = [
        _Heard(refund, result, rules.judge(result, amount_minor=refund.amount_minor))
        for refund in known
        if (result := latest[refund.refund_no])
    ]
    if heard:
        await ledger.hold_open_days(conn, (one.refund.operator_id for one in heard))
        await _record_refunded(conn, [one for one in heard if one.verdict is Verdict.REFUNDED], now=now)
        left = [one for one in heard if one.verdict is not Verdict.REFUNDED]
        await _leave(conn, left, settings=settings, now=now)
    return tuple(set(latest) - {refund.refund_no for refund in known})


async def _give_back(channel: Channel, refund: Refund) -> Result:
    """Send a refund; one that may have been sent before is asked about first."""
    if refund.state != RefundState.RECORDED:
        answer = await channel.query_refund(refund.refund_no)
        if answer.reason is not FailReason.NOT_EXIST:
            return answer
    return await channel.refund(
        order_no=refund.order_no, refund_no=refund.refund_no, amount_minor=Minor(refund.amount_minor)
    )


async def _pull_surplus(conn: Conn, buckets: Sequence[int], *, now: datetime) -> None:
    refunds = [
        NewRefund(
            refund_no=rules.whole_refund_number(one.order_no),
            charge_id=one.charge_id,
            order_no=one.order_no,
            channel=one.channel,
            reason="surplus",
            amount_minor=one.amount_minor,
            total_minor=one.amount_minor,
            currency=one.currency,
            operator_id=one.operator_id,
            card_id=one.card_id,
        )
        for one in await charges.surplus(conn, buckets, now=now)
    ]
    if refunds:
        await store.insert_refunds(conn, refunds, now)


async def _record_refunded(conn: Conn, heard: Sequence[_Heard], *, now: datetime) -> None:
    if not heard:
        return
    facts = [(one.result.paid_at, one.result.raw_code) for one in heard]
    moved = await store.succeed_refunds(conn, [one.refund for one in heard], facts=facts, now=now)
    done = [one for one in heard if one.refund.refund_no in moved]
    # A surplus never was the charge's money, so the charge does not change.
    of_charges = [one for one in done if one.refund.reason != "surplus"]
    await charges.note_refunded(conn, [(one.refund.charge_id, one.refund.amount_minor) for one in of_charges])
    await ledger.post(conn, [_posting(one) for one in done], now=now)


async def _leave(conn: Conn, heard: Sequence[_Heard], *, settings: Settings, now: datetime) -> None:
    if not heard:
        return
    facts: list[tuple[RefundState | None, str, datetime | None]] = []
    for one in heard:
        next_at = rules.next_try_at(
            try_count=one.refund.try_count, schedule_seconds=settings.unknown_query_schedule_seconds, now=now
        )
        match one.verdict:
            case Verdict.REFUSED:
                _log.error("refund %s was refused (%s)", one.refund.refund_no, one.result.raw_code)
                facts.append((RefundState.DECLINED, one.result.raw_code, None))
            case Verdict.LOST_SIGHT:
                facts.append((RefundState.UNKNOWN, one.result.raw_code, next_at))
            case _:
                facts.append((None, one.result.raw_code, next_at))
    await store.leave_refunds(conn, [one.refund for one in heard], facts=facts, now=now)


def _posting(one: _Heard) -> Posting:
    refund = one.refund
    make: Callable[..., core.Transfer]
    match refund.reason:
        case "deposit_return":
            make, owner = core.deposit_refunded, {"card_id": refund.card_id}
        case "surplus":
            make, owner = core.overpayment_refunded, {"card_id": refund.card_id}
        case _:
            make, owner = core.charge_refunded, {"operator_id": refund.operator_id}
    transfer = make(
        **owner, channel_account=refund.channel, refund_number=refund.refund_no, amount_minor=refund.amount_minor
    )
    assert one.result.paid_at is not None, "a refund that is believed states when it was"
    return Posting(refund.bucket, refund.operator_id, refund.currency, transfer, one.result.paid_at)


def bucket_of_refund(refund_no: str) -> int | None:
    """The bucket that one of our refund numbers lives in; None when it is not one of ours."""
    try:
        return bucket_of(charge_of_order(rules.order_of_refund(refund_no)))
    except MalformedId:
        return None
