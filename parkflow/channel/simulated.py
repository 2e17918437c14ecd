"""The adapter of the simulated channel: JSON over HTTP, signed in both directions with HMAC-SHA-256.

What fails before a connection stands was never accepted; what fails afterwards, and every answer that is not signed by
the channel, leaves the outcome unknown.
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote

import httpx

from parkflow.channel import simulated_wire as wire
from parkflow.channel.port import (
    Agreement,
    Bill,
    BillMalformed,
    BillNotReady,
    BillRow,
    ChannelUnavailable,
    DeductRequest,
    Event,
    FailReason,
    Outcome,
    Result,
    SignatureInvalid,
)
from parkflow.kit.clock import Clock
from parkflow.kit.money import Minor

_ANSWER_BYTES_MAX: Final = 64 << 20
_CONNECT_SECONDS: Final = 2
_POOL_SECONDS: Final = 5
_CONNECTIONS_MAX: Final = 32
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BILL_COLUMNS: Final = ("kind", "order_no", "channel_no", "refund_no", "amount_minor", "currency", "at")
# The channel's own codes; one that is not listed says nothing, so the outcome stays unknown.
_REFUSALS: Final = {
    "order_conflict": FailReason.CONFLICT,
    "refund_conflict": FailReason.CONFLICT,
    "param_error": FailReason.PARAM,
    "refund_exceeds_order": FailReason.MERCHANT,
    "order_not_paid": FailReason.MERCHANT,
    "stale_request": FailReason.NOT_ACCEPTED,
    "bad_signature": FailReason.NOT_ACCEPTED,
}
_DECLINES: Final = {
    "insufficient_funds": FailReason.INSUFFICIENT_FUNDS,
    "agreement_gone": FailReason.AGREEMENT_GONE,
    "order_closed": FailReason.ORDER_CLOSED,
}


class SimulatedChannel:
    """One account at a simulated channel. The clock gives wall time for the freshness of messages."""

    def __init__(
        self, *, name: str, base_url: str, secret: bytes, bill_time_zone: str, clock: Clock, timeout_seconds: int
    ) -> None:
        self.name = name
        self._secret = secret
        self._bill_time_zone = bill_time_zone
        self._clock = clock
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_seconds, connect=_CONNECT_SECONDS, pool=_POOL_SECONDS),
            limits=httpx.Limits(max_connections=_CONNECTIONS_MAX),
            trust_env=False,
            follow_redirects=False,
        )

    async def sign_agreement(self, *, external_no: str, user_ref: str, scene: str, return_url: str) -> str:
        fields = {"external_no": external_no, "user_ref": user_ref, "scene": scene, "return_url": return_url}
        return str((await self._ask("POST", "/v1/agreements", fields))["sign_url"])

    async def query_agreement(self, external_no: str) -> Agreement:
        answer = await self._ask("GET", f"/v1/agreements/{quote(external_no, safe='')}", None)
        return Agreement(answer.get("ref"), str(answer.get("state", "pending")))

    async def unsign(self, ref: str) -> Result:
        try:
            answer = await self._ask("POST", f"/v1/agreements/{quote(ref, safe='')}/end", {})
        except ChannelUnavailable as error:
            return Result(Outcome.UNKNOWN, ref, raw_code=error.code)
        ended = answer.get("state") == "ended"
        return Result(Outcome.SUCCEEDED if ended else Outcome.UNKNOWN, ref, raw_code=str(answer.get("code", "")))

    def compose_deduct(self, request: DeductRequest) -> bytes:
        return _encode(
            {
                "order_no": request.order_no,
                "agreement_ref": request.payer_ref,
                "amount_minor": request.amount_minor,
                "currency": request.currency,
                "subject": request.subject,
                "lot_ref": request.lot_ref,
                "purpose": request.purpose,
            }
        )

    async def deduct(self, order_no: str, request: bytes) -> Result:
        return await self._act("POST", "/v1/orders", request, order_no)

    async def query(self, order_no: str) -> Result:
        return await self._act("GET", f"/v1/orders/{order_no}", b"", order_no)

    async def cancel(self, order_no: str) -> Result:
        return await self._act("POST", f"/v1/orders/{order_no}/cancel", b"{}", order_no)

    async def refund(self, *, order_no: str, refund_no: str, amount_minor: Minor) -> Result:
        body = _encode({"refund_no": refund_no, "amount_minor": amount_minor})
        return await self._act("POST", f"/v1/orders/{order_no}/refunds", body, refund_no)

    async def query_refund(self, refund_no: str) -> Result:
        return await self._act("GET", f"/v1/refunds/{refund_no}", b"", refund_no)

    def parse_notification(self, *, headers: Mapping[str, str], target: str, body: bytes) -> Event:
        wire.check_notification(self._secret, now=self._clock.wall(), headers=headers, target=target, body=body)
        try:
            fields = json.loads(body)
            kind = fields["kind"]
            number = fields[kind]["order_no" if kind == "order" else "refund_no"]
            return Event(fields["id"], kind, _result(fields[kind], number), _instant(fields["occurred_at"]))
        except (ValueError, KeyError, TypeError) as error:
            raise SignatureInvalid("the notification is signed, but not in the form that was agreed") from error

    async def fetch_bill(self, day: date) -> Bill:
        target = f"/v1/bills/{day.isoformat()}?zone={quote(self._bill_time_zone, safe='/')}"
        answer = await self._ask("GET", target, None)
        if answer.get("code") == "bill_not_ready":
            raise BillNotReady(f"{self.name} has not made the bill of {day} yet")
        try:
            return _bill(day, answer)
        except (ValueError, KeyError, TypeError) as error:
            raise ChannelUnavailable(f"the bill of {day} from {self.name} does not add up: {error}") from error

    def read_bill(self, day: date, content: bytes) -> Bill:
        try:
            answer = json.loads(content)
            if answer["day"] != day.isoformat():
                raise ValueError(f"it is the bill of {answer['day']}")
            return _bill(day, answer)
        except (ValueError, KeyError, TypeError) as error:
            raise BillMalformed(f"the file is not a bill of {self.name} for {day}: {error}") from error

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _act(self, method: str, target: str, body: bytes, number: str) -> Result:
        """One call about money: never raises, and believes only what is signed."""
        try:
            status, fields = await self._exchange(method, target, body)
        except _NEVER_SENT as error:
            return Result(Outcome.FAILED, number, FailReason.NOT_ACCEPTED, raw_code=type(error).__name__)
        except (httpx.HTTPError, SignatureInvalid, ValueError) as error:
            return Result(Outcome.UNKNOWN, number, raw_code=type(error).__name__)
        if status == 200:
            return _result(fields, number)
        code = str(fields.get("code", ""))
        if code in ("order_not_exist", "refund_not_exist"):
            return Result(Outcome.UNKNOWN, number, FailReason.NOT_EXIST, raw_code=code)
        reason = _REFUSALS.get(code)
        return Result(Outcome.FAILED if reason else Outcome.UNKNOWN, number, reason, raw_code=code or str(status))

    async def _ask(self, method: str, target: str, fields: dict[str, Any] | None) -> dict[str, Any]:
        """One call that may simply be made again. Raises ChannelUnavailable."""
        try:
            status, answer = await self._exchange(method, target, b"" if fields is None else _encode(fields))
        except (httpx.HTTPError, SignatureInvalid, ValueError) as error:
            raise ChannelUnavailable(f"channel {self.name} does not answer: {type(error).__name__}") from error
        if status >= 400 and status not in (404, 409):
            raise ChannelUnavailable(f"channel {self.name} refused: {answer.get('code', status)}")
        return answer

    async def _exchange(self, method: str, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = wire.request_headers(self._secret, now=self._clock.wall(), method=method, target=target, body=body)
        answer = await self._client.request(method, target, content=body, headers=headers)
        if len(answer.content) > _ANSWER_BYTES_MAX:
            raise ValueError("the answer is too large")
        wire.check_answer(self._secret, now=self._clock.wall(), answer=answer, request_line=f"{method} {target}")
        fields = answer.json()
        if not isinstance(fields, dict):
            raise ValueError("the answer is not an object")
        return answer.status_code, fields


def _result(fields: dict[str, Any], number: str) -> Result:
    """A signed order or refund. One that does not state all that success needs is not believed."""
    try:
        match fields["state"]:
            case "succeeded":
                stated = fields.get("refund_no", fields["order_no"])
                if stated != number:
                    return Result(Outcome.UNKNOWN, number, raw_code="other_number")
                return Result(
                    Outcome.SUCCEEDED,
                    number,
                    channel_no=fields["channel_no"],
                    amount_minor=Minor(int(fields["amount_minor"])),
                    currency=fields.get("currency"),
                    paid_at=_instant(fields["refunded_at"] if "refund_no" in fields else fields["paid_at"]),
                    raw_code="succeeded",
                )
            case "declined" | "closed" as state:
                reason = _DECLINES.get(fields["reason"], FailReason.RISK)
                return Result(Outcome.FAILED, number, reason, raw_code=f"{state}/{fields['reason']}")
            case "pending":
                return Result(Outcome.PENDING, number, raw_code="pending")
            case other:
                return Result(Outcome.UNKNOWN, number, raw_code=str(other))
    except (KeyError, TypeError, ValueError):
        return Result(Outcome.UNKNOWN, number, raw_code="malformed")


def _bill(day: date, answer: dict[str, Any]) -> Bill:
    content: str = answer["csv"]
    digest = hashlib.sha256(content.encode()).digest()
    if digest.hex() != answer["sha256"]:
        raise ValueError("the hash of the file is not the one stated")
    reader = csv.DictReader(io.StringIO(content))
    if tuple(reader.fieldnames or ()) != _BILL_COLUMNS:
        raise ValueError("the columns are not the ones agreed")
    rows = [
        BillRow(
            line_no=line_no,
            kind=row["kind"],
            order_no=row["order_no"],
            number=row["order_no"] if row["kind"] == "pay" else row["refund_no"],
            channel_no=row["channel_no"],
            amount_minor=Minor(int(row["amount_minor"])),
            currency=row["currency"],
            at=_instant(row["at"]),
        )
        for line_no, row in enumerate(reader, start=2)
    ]
    paid = Minor(sum(row.amount_minor for row in rows if row.kind == "pay"))
    refunded = Minor(sum(row.amount_minor for row in rows if row.kind == "refund"))
    if (len(rows), paid, refunded) != (answer["rows"], answer["pay_total_minor"], answer["refund_total_minor"]):
        raise ValueError("the rows do not add up to the totals stated")
    return Bill(day, digest, rows, paid, refunded)


def _encode(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant without zone")
    return at
