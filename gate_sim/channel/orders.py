"""What the channel does with orders and refunds: books them once, plans faults, promises notifications."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gate_sim.channel.answer import Answer, Fault, Refused, json_object, text, whole
from gate_sim.channel.book import Book, Order, Refund
from gate_sim.channel.plan import (
    Plan,
    channel_number,
    notification_delays_seconds,
    order_plan,
    pending_seconds,
    refund_plan,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_EFFECT: Final = frozenset({Plan.TIMEOUT_BEFORE, Plan.ERROR_BEFORE})
_FAULTS: Final = {
    Plan.TIMEOUT_BEFORE: Fault.SILENCE,
    Plan.TIMEOUT_AFTER: Fault.SILENCE,
    Plan.ERROR_BEFORE: Fault.ERROR,
    Plan.ERROR_AFTER: Fault.ERROR,
    Plan.TRUNCATED: Fault.TRUNCATED,
    Plan.UNSIGNED: Fault.UNSIGNED,
}


@dataclass(frozen=True, slots=True)
class _Request:
    order_no: str
    agreement_ref: str
    amount_minor: int
    currency: str
    is_deposit: bool


class Orders:
    """Orders, refunds and their plans over one book."""

    def __init__(self, book: Book, seed: int) -> None:
        self._book = book
        self._seed = seed

    def place(self, body: bytes, *, now_ms: int) -> Answer:
        """Deduct. The same number with the same bytes is one order; with other bytes it is a conflict."""
        request = _parse(body)
        with self._book.change():
            self._book.decide_pending(now_ms=now_ms)
            seen = self._book.note_arrival("order", request.order_no, hashlib.sha256(body).hexdigest())
            if seen not in (None, hashlib.sha256(body).hexdigest()):
                raise Refused(409, "order_conflict", "this order number was used with other content")
            plan = self._plan(request) if seen is None else Plan.OK
            if plan not in _NO_EFFECT and self._book.order(request.order_no) is None:
                self._book_order(request, plan, now_ms)
            order = self._book.order(request.order_no)
        return Answer(200, order_json(order) if order else {}, fault=_FAULTS.get(plan))

    def query(self, order_no: str, *, now_ms: int) -> Answer:
        return Answer(200, order_json(self._known(order_no, now_ms)))

    def cancel(self, order_no: str, *, now_ms: int) -> Answer:
        """Close an undecided order. One that was never seen is answered `absent`, and may still arrive afterwards."""
        with self._book.change():
            self._book.decide_pending(now_ms=now_ms)
            order = self._book.order(order_no)
            if order is None:
                return Answer(200, {"order_no": order_no, "state": "absent"})
            if order.state == "pending":
                if order.final_state == "succeeded" and order.wallet is not None:
                    self._book.move_funds(order.wallet, order.amount_minor)
                self._book.close_order(order_no, at_ms=now_ms)
        return self.query(order_no, now_ms=now_ms)

    def refund(self, order_no: str, body: bytes, *, now_ms: int) -> Answer:
        """Give money back; the refund number makes it one refund however often it is asked for."""
        fields = json_object(body)
        refund_no, amount_minor = text(fields, "refund_no"), whole(fields, "amount_minor")
        digest = hashlib.sha256(order_no.encode() + b"\n" + body).hexdigest()
        with self._book.change():
            self._book.decide_pending(now_ms=now_ms)
            order = self._book.order(order_no)
            if order is None:
                raise Refused(404, "order_not_exist", "there is no such order")
            seen = self._book.note_arrival("refund", refund_no, digest)
            if seen not in (None, digest):
                raise Refused(409, "refund_conflict", "this refund number was used with other content")
            plan = refund_plan(self._seed, refund_no) if seen is None else Plan.OK
            if plan not in _NO_EFFECT and self._book.refund(refund_no) is None:
                self._book_refund(order, refund_no, amount_minor, now_ms)
            refund = self._book.refund(refund_no)
        return Answer(200, refund_json(refund) if refund else {}, fault=_FAULTS.get(plan))

    def query_refund(self, refund_no: str) -> Answer:
        refund = self._book.refund(refund_no)
        if refund is None:
            raise Refused(404, "refund_not_exist", "there is no such refund")
        return Answer(200, refund_json(refund))

    def _plan(self, request: _Request) -> Plan:
        agreement = self._book.agreement_by_ref(request.agreement_ref)
        wallet = self._book.wallet(agreement.wallet) if agreement and agreement.wallet else None
        if wallet is None:
            return Plan.OK
        number = self._book.next_order_number(wallet.wallet)
        if number <= len(wallet.plan):
            return Plan(wallet.plan[number - 1])
        # Enrolment must not hang on luck, so a deposit fails only where a test asks for it or money is lacking.
        return Plan.OK if request.is_deposit else order_plan(self._seed, wallet=wallet.wallet, number=number)

    def _book_order(self, request: _Request, plan: Plan, now_ms: int) -> None:
        agreement = self._book.agreement_by_ref(request.agreement_ref)
        wallet = self._book.wallet(agreement.wallet) if agreement and agreement.wallet else None
        reason = None
        if agreement is None or wallet is None or agreement.state != "active":
            reason = "agreement_gone"
        elif plan in (Plan.INSUFFICIENT, Plan.PENDING_DECLINED) or wallet.funds_minor < request.amount_minor:
            reason = "insufficient_funds"
        final = "declined" if reason else "succeeded"
        waits = plan in (Plan.PENDING, Plan.PENDING_DECLINED)
        order = Order(
            order_no=request.order_no,
            agreement_ref=request.agreement_ref,
            wallet=wallet.wallet if wallet else None,
            amount_minor=request.amount_minor,
            currency=request.currency,
            state="pending" if waits else final,
            final_state=final,
            reason=reason,
            channel_no=channel_number(self._seed, "order", request.order_no),
            created_ms=now_ms,
            decided_ms=now_ms + (pending_seconds(self._seed, request.order_no) * 1000 if waits else 0),
        )
        self._book.add_order(order)
        if wallet is not None and final == "succeeded":
            self._book.move_funds(wallet.wallet, -request.amount_minor)
        self._promise("order", order.order_no, order_json(replace(order, state=final)), order.decided_ms)

    def _book_refund(self, order: Order, refund_no: str, amount_minor: int, now_ms: int) -> None:
        if order.state != "succeeded":
            raise Refused(409, "order_not_paid", "only a paid order can be refunded")
        if order.refunded_minor + amount_minor > order.amount_minor:
            raise Refused(409, "refund_exceeds_order", "refunds of an order may not exceed its amount")
        channel_no = channel_number(self._seed, "refund", refund_no)
        refund = Refund(refund_no, order.order_no, amount_minor, channel_no, now_ms)
        self._book.add_refund(refund)
        if order.wallet is not None:
            self._book.move_funds(order.wallet, amount_minor)
        self._promise("refund", refund_no, refund_json(refund), now_ms)

    def _promise(self, kind: str, number: str, subject: dict[str, Any], decided_ms: int) -> None:
        id = channel_number(self._seed, f"notify {kind}", number)
        body = json.dumps(
            {"id": id, "kind": kind, "occurred_at": stamp(decided_ms), kind: subject}, separators=(",", ":")
        )
        delays = notification_delays_seconds(self._seed, number)
        self._book.add_notification(id, body, [decided_ms + 1000 * delay for delay in delays])

    def _known(self, order_no: str, now_ms: int) -> Order:
        with self._book.change():
            self._book.decide_pending(now_ms=now_ms)
            order = self._book.order(order_no)
        if order is None:
            raise Refused(404, "order_not_exist", "there is no such order")
        return order


def order_json(order: Order) -> dict[str, Any]:
    """An order as the channel states it."""
    decided = order.state != "pending"
    return {
        "order_no": order.order_no,
        "state": order.state,
        "reason": order.reason if decided else None,
        "channel_no": order.channel_no,
        "amount_minor": order.amount_minor,
        "currency": order.currency,
        "paid_at": stamp(order.decided_ms) if order.state == "succeeded" else None,
        "refunded_minor": order.refunded_minor,
    }


def refund_json(refund: Refund) -> dict[str, Any]:
    """A refund as the channel states it."""
    return {
        "refund_no": refund.refund_no,
        "order_no": refund.order_no,
        "state": "succeeded",
        "channel_no": refund.channel_no,
        "amount_minor": refund.amount_minor,
        "refunded_at": stamp(refund.decided_ms),
    }


def stamp(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parse(body: bytes) -> _Request:
    fields = json_object(body)
    order_no = text(fields, "order_no")
    if not (8 <= len(order_no) <= 32 and order_no.isascii() and order_no.isalnum()):
        raise Refused(400, "param_error", "order_no is 8 to 32 letters and digits")
    amount_minor = whole(fields, "amount_minor")
    if amount_minor <= 0:
        raise Refused(400, "param_error", "amount_minor is more than 0")
    return _Request(
        order_no=order_no,
        agreement_ref=text(fields, "agreement_ref"),
        amount_minor=amount_minor,
        currency=text(fields, "currency"),
        is_deposit=fields.get("purpose") == "deposit",
    )
