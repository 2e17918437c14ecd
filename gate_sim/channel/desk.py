"""The channel's desk: takes a request, checks who signed it, and finds who answers it."""

import re
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from gate_sim.channel import wire
from gate_sim.channel.answer import Answer, Refused, json_object, text, whole
from gate_sim.channel.bill import bill
from gate_sim.channel.book import Agreement, Book
from gate_sim.channel.clock import ChannelClock
from gate_sim.channel.orders import Orders
from gate_sim.channel.plan import Plan, channel_number

# What people (drivers confirming an agreement, tests filling a wallet) call; it carries no signature.
_FOR_PEOPLE: Final = re.compile(r"/v1/(wallets(/.*)?|book|agreements/[^/]+/confirm)")
_NAME: Final = r"([0-9A-Za-z_.:-]{1,64})"


class Desk:
    """All endpoints of the channel over one book."""

    def __init__(self, book: Book, clock: ChannelClock, *, seed: int, secret: bytes) -> None:
        self.book = book
        self.clock = clock
        self.seed = seed
        self.secret = secret
        self._orders = Orders(book, seed)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one request; `target` is path and query as on the wire, header names lower case."""
        url = urlsplit(target)
        try:
            if not _FOR_PEOPLE.fullmatch(url.path):
                self._check_signature(method, target, headers, body)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            return self._route(f"{method} {url.path}", query, headers, body)
        except Refused as refusal:
            return refusal.answer

    def _check_signature(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        stated = headers.get(wire.TIME_HEADER.lower())
        now_ms = time.time_ns() // 1_000_000
        if stated is None or not wire.is_fresh(stated, now_ms=now_ms):
            raise Refused(401, "stale_request", f"{wire.TIME_HEADER} is within five minutes of now")
        right = wire.sign_request(self.secret, at_ms=int(stated), method=method, target=target, body=body)
        if not wire.same(right, headers.get(wire.SIGNATURE_HEADER.lower(), "")):
            raise Refused(401, "bad_signature", f"{wire.SIGNATURE_HEADER} does not fit the request")

    def _route(self, line: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Answer:
        now_ms = self.clock.now_ms()
        if line == "POST /v1/orders":
            return self._orders.place(body, now_ms=now_ms)
        if found := re.fullmatch(f"GET /v1/orders/{_NAME}", line):
            return self._orders.query(found[1], now_ms=now_ms)
        if found := re.fullmatch(f"POST /v1/orders/{_NAME}/cancel", line):
            return self._orders.cancel(found[1], now_ms=now_ms)
        if found := re.fullmatch(f"POST /v1/orders/{_NAME}/refunds", line):
            return self._orders.refund(found[1], body, now_ms=now_ms)
        if found := re.fullmatch(f"GET /v1/refunds/{_NAME}", line):
            return self._orders.query_refund(found[1])
        if found := re.fullmatch(f"GET /v1/bills/{_NAME}", line):
            return bill(self.book, day=found[1], zone=query.get("zone", "UTC"), now_ms=now_ms)
        if line == "GET /v1/book":
            with self.book.change():
                self.book.decide_pending(now_ms=now_ms)
            return Answer(200, {**self.book.totals()})
        return self._route_agreements(line, headers, body) or self._route_wallets(line, body)

    def _route_agreements(self, line: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if line == "POST /v1/agreements":
            external_no = text(json_object(body), "external_no")
            with self.book.change():
                ref = channel_number(self.seed, "agreement", external_no)
                self.book.add_agreement(external_no, ref, at_ms=self.clock.now_ms())
            sign_url = f"http://{headers.get('host', 'localhost')}/v1/agreements/{external_no}/confirm"
            return Answer(200, {**_agreement_json(self._agreement(external_no)), "sign_url": sign_url})
        if found := re.fullmatch(f"GET /v1/agreements/{_NAME}", line):
            return Answer(200, _agreement_json(self._agreement(found[1])))
        if found := re.fullmatch(f"POST /v1/agreements/{_NAME}/confirm", line):
            wallet = text(json_object(body), "wallet")
            self._agreement(found[1])
            if self.book.wallet(wallet) is None:
                raise Refused(404, "wallet_not_exist", "there is no such wallet")
            with self.book.change():
                self.book.confirm_agreement(found[1], wallet)
            return Answer(200, _agreement_json(self._agreement(found[1])))
        if found := re.fullmatch(f"POST /v1/agreements/{_NAME}/end", line):
            with self.book.change():
                self.book.end_agreement(found[1])
            agreement = self.book.agreement_by_ref(found[1])
            if agreement is None:
                raise Refused(404, "agreement_not_exist", "there is no such agreement")
            return Answer(200, _agreement_json(agreement))
        return None

    def _route_wallets(self, line: str, body: bytes) -> Answer:
        if line == "POST /v1/wallets":
            fields = json_object(body)
            wallet, plan = text(fields, "wallet"), fields.get("plan", [])
            if not isinstance(plan, list) or not all(step in set(Plan) for step in plan):
                raise Refused(400, "param_error", f"plan is a list of {', '.join(Plan)}")
            with self.book.change():
                self.book.add_wallet(wallet, funds_minor=whole(fields, "funds_minor"), plan=plan)
            return self._wallet(wallet, 201)
        if found := re.fullmatch(f"POST /v1/wallets/{_NAME}/top-up", line):
            amount_minor = whole(json_object(body), "amount_minor")
            with self.book.change():
                self.book.move_funds(found[1], amount_minor)
            return self._wallet(found[1])
        if found := re.fullmatch(f"GET /v1/wallets/{_NAME}", line):
            return self._wallet(found[1])
        raise Refused(404, "no_such_address", "the channel has no such address")

    def _wallet(self, name: str, status: int = 200) -> Answer:
        wallet = self.book.wallet(name)
        if wallet is None:
            raise Refused(404, "wallet_not_exist", "there is no such wallet")
        return Answer(
            status, {"wallet": wallet.wallet, "funds_minor": wallet.funds_minor, "orders": wallet.order_count}
        )

    def _agreement(self, external_no: str) -> Agreement:
        agreement = self.book.agreement(external_no)
        if agreement is None:
            raise Refused(404, "agreement_not_exist", "there is no such agreement")
        return agreement


def _agreement_json(agreement: Agreement) -> dict[str, str | None]:
    ref = agreement.ref if agreement.state != "pending" else None
    return {"external_no": agreement.external_no, "state": agreement.state, "ref": ref}
