"""What the channel does with orders and refunds: books them once, plans faults, promises notifications."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gate_sim.channel.answer import Answer, Fault, Refused, json_object, text, whole
from gate_sim.channel.book import Book, Order, Refund, Wallet
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
        digest = hashlib.sha256(body).hexdigest()
        with self._book.change():
            self._book.decide_pending(now_ms=now_ms)
            payer = self._payer(request.agreement_ref)
            seen = self._book.note_arrival("order", request.order_no, digest, wallet=payer.wallet if payer else None)
            if seen.body_sha256 != digest:
                raise Refused(409, "order_conflict", "this order number was used with other content")
            plan = self._plan(request, payer, seen.place) if seen.is_first else Plan.OK
            if plan not in _NO_EFFECT and self._book.order(request.order_no) is None:
                self._book_order(request, payer, plan, seen.place, now_ms)
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
            seen = self._book.note_arrival("refund", refund_no, digest, wallet=order.wallet)
            if seen.body_sha256 != digest:
                raise Refused(409, "refund_conflict", "this refund number was used with other content")
            plan = Plan.OK
            if seen.is_first:
                plan = refund_plan(self._seed, wallet=order.wallet or "", place=seen.place)
            if plan not in _NO_EFFECT and self._book.refund(refund_no) is None:
                self._book_refund(order, Refund(refund_no, order_no, amount_minor, "", now_ms), seen.place)
            refund = self._book.refund(refund_no)
        return Answer(200, refund_json(refund) if refund else {}, fault=_FAULTS.get(plan))

    def query_refund(self, refund_no: str) -> Answer:
        refund = self._book.refund(refund_no)
        if refund is None:
            raise Refused(404, "refund_not_exist", "there is no such refund")
        return Answer(200, refund_json(refund))

    def _payer(self, agreement_ref: str) -> Wallet | None:
        agreement = self._book.agreement_by_ref(agreement_ref)
        return self._book.wallet(agreement.wallet) if agreement and agreement.wallet else None

    def _plan(self, request: _Request, payer: Wallet | None, place: int) -> Plan:
        if payer is None:
            return Plan.OK
        if place <= len(payer.plan):
            return Plan(payer.plan[place - 1])
        # Enrolment must not hang on luck, so a deposit fails only where a test asks for it or money is lacking.
        return Plan.OK if request.is_deposit else order_plan(self._seed, wallet=payer.wallet, place=place)

    def _book_order(self, request: _Request, payer: Wallet | None, plan: Plan, place: int, now_ms: int) -> None:
        agreement = self._book.agreement_by_ref(request.agreement_ref)
        reason = None
        if agreement is None or payer is None or agreement.state != "active":
            reason = "agreement_gone"
        elif plan in (Plan.INSUFFICIENT, Plan.PENDING_DECLINED) or payer.funds_minor < request.amount_minor:
            reason = "insufficient_funds"
        final = "declined" if reason else "succeeded"
        wallet = payer.wallet if payer else ""
        waits = plan in (Plan.PENDING, Plan.PENDING_DECLINED)
        wait_ms = 1000 * pending_seconds(self._seed, wallet=wallet, place=place) if waits else 0
        order = Order(
            order_no=request.order_no,
            agreement_ref=request.agreement_ref,
            wallet=wallet or None,
            amount_minor=request.amount_minor,
            currency=request.currency,
            state="pending" if waits else final,
            final_state=final,
            reason=reason,
            channel_no=channel_number(self._seed, "order", request.order_no),
            created_ms=now_ms,
            decided_ms=now_ms + wait_ms,
        )
        self._book.add_order(order)
        if final == "succeeded":
            self._book.move_funds(wallet, -request.amount_minor)
        told = order_json(replace(order, state=final))
        self._promise("order", told, order.decided_ms, (wallet, place))

    def _book_refund(self, order: Order, asked: Refund, place: int) -> None:
        if order.state != "succeeded":
            raise Refused(409, "order_not_paid", "only a paid order can be refunded")
        if order.refunded_minor + asked.amount_minor > order.amount_minor:
            raise Refused(409, "refund_exceeds_order", "refunds of an order may not exceed its amount")
        refund = replace(asked, channel_no=channel_number(self._seed, "refund", asked.refund_no))
        self._book.add_refund(refund)
        if order.wallet is not None:
            self._book.move_funds(order.wallet, refund.amount_minor)
        self._promise("refund", refund_json(refund), refund.decided_ms, (order.wallet or "", place))

    def _promise(self, kind: str, subject: dict[str, Any], decided_ms: int, whose: tuple[str, int]) -> None:
        """Promise the notification of an outcome; `whose` is the wallet and the place among its orders or refunds."""
        wallet, place = whose
        id = channel_number(self._seed, f"notify {kind}", subject[f"{kind}_no"])
        body = json.dumps(
            {"id": id, "kind": kind, "occurred_at": stamp(decided_ms), kind: subject}, separators=(",", ":")
        )
        delays = notification_delays_seconds(self._seed, kind, wallet=wallet, place=place)
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
