"""What the service knows of a payment channel: the `Channel` protocol, and the few words that all channels share.

An adapter turns a channel's own language into these. It never raises for what a channel or the network does: a lost
answer is Outcome.UNKNOWN, and only a query, a verified notification or a bill leaves that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from parkflow.kit.errors import ParkflowError
from parkflow.kit.money import Minor


class Outcome(StrEnum):
    """What became of an order or a refund."""

    SUCCEEDED = "succeeded"  # money moved; amount, channel_no and paid_at are present
    FAILED = "failed"  # provably did not and will not move under this number
    PENDING = "pending"  # the channel has it and is working on it
    UNKNOWN = "unknown"  # we cannot tell


class FailReason(StrEnum):
    """Why money did not move, or why we cannot tell."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    AGREEMENT_GONE = "agreement_gone"
    PAYER_LIMIT = "payer_limit"
    PAYER_BLOCKED = "payer_blocked"
    RISK = "risk"
    ORDER_CLOSED = "order_closed"
    CONFLICT = "conflict"  # the number was used with other content: our defect
    LOT_NOT_LIVE = "lot_not_live"
    MERCHANT = "merchant"  # our configuration at the channel
    PARAM = "param"
    NOT_ACCEPTED = "not_accepted"  # never reached the channel's books
    NOT_EXIST = "not_exist"  # the channel has no such number (yet)


@dataclass(frozen=True, slots=True)
class Result:
    """An answer, checked by the adapter (signature, number, currency); `number` is our order or refund number."""

    outcome: Outcome
    number: str
    reason: FailReason | None = None
    channel_no: str | None = None
    amount_minor: Minor | None = None
    currency: str | None = None
    paid_at: datetime | None = None
    raw_code: str = ""


@dataclass(frozen=True, slots=True)
class DeductRequest:
    """One order. `payer_ref` is the channel's reference of the agreement, `lot_ref` is empty for a deposit."""

    order_no: str  # [0-9A-Za-z]{8,32}
    amount_minor: Minor
    currency: str
    subject: str
    lot_ref: str
    payer_ref: str
    purpose: str  # deduct | repay | deposit


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agreement as the channel states it: pending, active or ended; `ref` exists once it was confirmed."""

    ref: str | None
    state: str


@dataclass(frozen=True, slots=True)
class Event:
    """One verified notification."""

    dedup_key: str
    kind: str  # order | refund
    result: Result
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class BillRow:
    """One line of a bill; `number` is our order number for `pay`, our refund number for `refund`."""

    line_no: int
    kind: str  # pay | refund
    order_no: str
    number: str
    channel_no: str
    amount_minor: Minor
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Bill:
    """A day's bill and what it states about itself; the adapter has checked that the rows add up to it."""

    day: date
    sha256: bytes
    rows: Sequence[BillRow]
    pay_total_minor: Minor
    refund_total_minor: Minor


class BillNotReady(ParkflowError):
    """The channel has not made the bill of this day yet."""

    code = "bill_not_ready"
    status = 409


class BillMalformed(ParkflowError):
    """The file is not the channel's bill of that day, or does not add up."""

    code = "bill_malformed"
    status = 422


class SignatureInvalid(ParkflowError):
    """The message is not signed by the channel, or too old."""

    code = "signature_invalid"
    status = 401


class ChannelUnavailable(ParkflowError):
    """The channel does not answer; try again later."""

    code = "channel_unavailable"
    status = 503


class ChannelUnknown(ParkflowError, KeyError):
    """There is no such channel."""

    code = "channel_unknown"
    status = 404


class Channel(Protocol):
    """One merchant account at one payment channel."""

    name: str

    async def sign_agreement(self, *, external_no: str, user_ref: str, scene: str, return_url: str) -> str:
        """The address where the driver confirms the agreement. Raises ChannelUnavailable."""

    async def query_agreement(self, external_no: str) -> Agreement:
        """The agreement by our number; one that the channel does not know is pending. Raises ChannelUnavailable."""

    async def unsign(self, ref: str) -> Result:
        """End the agreement by the channel's reference; SUCCEEDED also when it has ended before."""

    def compose_deduct(self, request: DeductRequest) -> bytes:
        """The exact bytes of the order, to be stored before they are sent, and sent again unchanged."""

    async def deduct(self, order_no: str, request: bytes) -> Result:
        """Send an order; the same bytes may be sent any number of times."""

    async def query(self, order_no: str) -> Result:
        """What became of an order; UNKNOWN with NOT_EXIST when the channel has not seen it."""

    async def cancel(self, order_no: str) -> Result:
        """FAILED with ORDER_CLOSED when it is closed for good; a query must follow before anybody believes it."""

    async def refund(self, *, order_no: str, refund_no: str, amount_minor: Minor) -> Result:
        """Give money of an order back; the same number may be sent any number of times."""

    async def query_refund(self, refund_no: str) -> Result:
        """What became of a refund; UNKNOWN with NOT_EXIST when the channel has not seen it."""

    def parse_notification(self, *, headers: Mapping[str, str], target: str, body: bytes) -> Event:
        """The verified content of a notification. Raises SignatureInvalid."""

    async def fetch_bill(self, day: date) -> Bill:
        """The bill of a day in the channel's own time zone. Raises BillNotReady, ChannelUnavailable."""

    def read_bill(self, day: date, content: bytes) -> Bill:
        """The bill of a day from a file that was fetched before, in the channel's own form. Raises BillMalformed."""

    async def aclose(self) -> None:
        """Close its connections."""
