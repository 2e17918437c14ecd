"""The adapter against the real process of the channel: what each fault of the wire means for money."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from gate_sim.channel.book import Book
from gate_sim.channel.clock import SetTime
from gate_sim.channel.desk import Desk
from gate_sim.channel.plan import Plan
from gate_sim.channel.server import serving
from parkflow.channel.port import BillNotReady, DeductRequest, FailReason, Outcome, SignatureInvalid
from parkflow.channel.simulated import SimulatedChannel
from parkflow.channel.simulated_wire import request_headers
from parkflow.kit.clock import SystemClock
from parkflow.kit.money import Minor

SECRET = b"test secret of the channel"
NOON_MS = 1_508_515_200_000


class Sim:
    """A channel process and the adapter that speaks to it."""

    def __init__(self, channel: SimulatedChannel, at: SetTime, port: int) -> None:
        self.channel, self.at, self.address = channel, at, f"http://127.0.0.1:{port}"

    async def agreement(self, funds_minor: int, *plan: Plan) -> str:
        async with httpx.AsyncClient(base_url=self.address, trust_env=False) as client:
            await client.post("/v1/wallets", json={"wallet": "w", "funds_minor": funds_minor, "plan": list(plan)})
            url = await self.channel.sign_agreement(external_no="ext1", user_ref="u", scene="parking", return_url="")
            await client.post(url, json={"wallet": "w"})
        ref = (await self.channel.query_agreement("ext1")).ref
        assert ref is not None
        return ref

    def order(self, ref: str, order_no: str = "order0001", amount_minor: int = 500) -> bytes:
        return self.channel.compose_deduct(
            DeductRequest(order_no, Minor(amount_minor), "USD", "Parking", "lot_1", ref, "deduct")
        )


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[Sim]:
    book, at = Book(tmp_path / "book.sqlite"), SetTime(NOON_MS)
    async with serving(Desk(book, at, seed=7, secret=SECRET)) as port:
        channel = SimulatedChannel(
            name="sim",
            base_url=f"http://127.0.0.1:{port}",
            secret=SECRET,
            bill_time_zone="America/New_York",
            clock=SystemClock(),
            timeout_seconds=2,
        )
        yield Sim(channel, at, port)
        await channel.aclose()
    book.close()


@pytest.mark.parametrize(
    ("plan", "funds_minor", "first", "asked"),
    [
        (Plan.OK, 500, Outcome.SUCCEEDED, Outcome.SUCCEEDED),
        (Plan.OK, 499, Outcome.FAILED, Outcome.FAILED),
        (Plan.INSUFFICIENT, 500, Outcome.FAILED, Outcome.FAILED),
        (Plan.TIMEOUT_BEFORE, 500, Outcome.UNKNOWN, Outcome.UNKNOWN),
        (Plan.TIMEOUT_AFTER, 500, Outcome.UNKNOWN, Outcome.SUCCEEDED),
        (Plan.ERROR_BEFORE, 500, Outcome.UNKNOWN, Outcome.UNKNOWN),
        (Plan.ERROR_AFTER, 500, Outcome.UNKNOWN, Outcome.SUCCEEDED),
        (Plan.TRUNCATED, 500, Outcome.UNKNOWN, Outcome.SUCCEEDED),
        (Plan.UNSIGNED, 500, Outcome.UNKNOWN, Outcome.SUCCEEDED),
        (Plan.PENDING, 500, Outcome.PENDING, Outcome.PENDING),
    ],
)
async def test_only_a_signed_answer_says_anything(
    sim: Sim, plan: Plan, funds_minor: int, first: Outcome, asked: Outcome
) -> None:
    ref = await sim.agreement(funds_minor, plan)
    assert (await sim.channel.deduct("order0001", sim.order(ref))).outcome is first
    assert (await sim.channel.query("order0001")).outcome is asked


async def test_an_order_that_is_not_known_may_be_sent_again(sim: Sim) -> None:
    ref = await sim.agreement(500, Plan.TIMEOUT_BEFORE)
    await sim.channel.deduct("order0001", sim.order(ref))
    assert (await sim.channel.query("order0001")).reason is FailReason.NOT_EXIST
    again = await sim.channel.deduct("order0001", sim.order(ref))
    assert (again.outcome, again.amount_minor, again.currency) == (Outcome.SUCCEEDED, 500, "USD")
    other = await sim.channel.deduct("order0001", sim.order(ref, amount_minor=400))
    assert (other.outcome, other.reason) == (Outcome.FAILED, FailReason.CONFLICT)


async def test_a_channel_that_cannot_be_reached_took_nothing() -> None:
    channel = SimulatedChannel(
        name="sim",
        base_url="http://127.0.0.1:1",
        secret=SECRET,
        bill_time_zone="UTC",
        clock=SystemClock(),
        timeout_seconds=2,
    )
    result = await channel.deduct("order0001", b"{}")
    assert (result.outcome, result.reason) == (Outcome.FAILED, FailReason.NOT_ACCEPTED)
    await channel.aclose()


async def test_refund_bill_and_unsign_speak_the_common_words(sim: Sim) -> None:
    ref = await sim.agreement(500, Plan.OK)
    paid = await sim.channel.deduct("order0001", sim.order(ref))
    refund_no = next(f"Rorder{n:04d}" for n in range(9))
    back = await sim.channel.refund(order_no="order0001", refund_no=refund_no, amount_minor=Minor(200))
    if back.outcome is not Outcome.SUCCEEDED:
        back = await sim.channel.refund(order_no="order0001", refund_no=refund_no, amount_minor=Minor(200))
    assert (back.outcome, back.amount_minor, back.number) == (Outcome.SUCCEEDED, 200, refund_no)
    with pytest.raises(BillNotReady):
        await sim.channel.fetch_bill(date(2017, 10, 20))
    sim.at.at_ms += 86_400_000
    bill = await sim.channel.fetch_bill(date(2017, 10, 20))
    assert [(row.kind, row.number, row.amount_minor) for row in bill.rows] == [
        ("pay", "order0001", 500),
        ("refund", refund_no, 200),
    ]
    assert (bill.pay_total_minor, bill.refund_total_minor) == (500, 200)
    assert bill.rows[0].channel_no == paid.channel_no
    for _ in range(2):
        assert (await sim.channel.unsign(ref)).outcome is Outcome.SUCCEEDED
    assert (await sim.channel.query_agreement("ext1")).state == "ended"


def test_a_notification_is_believed_only_as_it_was_signed() -> None:
    channel = SimulatedChannel(
        name="sim",
        base_url="http://127.0.0.1:1",
        secret=SECRET,
        bill_time_zone="UTC",
        clock=SystemClock(),
        timeout_seconds=2,
    )
    body = (
        b'{"id":"n1","kind":"order","occurred_at":"2017-10-20T16:00:00.000Z","order":{"order_no":"order0001",'
        b'"state":"succeeded","channel_no":"c1","amount_minor":500,"currency":"USD","paid_at":"2017-10-20T16:00:00.000Z"}}'
    )
    target = "/v1/channels/sim/notifications"
    headers = request_headers(SECRET, now=SystemClock().wall(), method="POST", target=target, body=body)
    event = channel.parse_notification(headers=headers, target=target, body=body)
    assert (event.dedup_key, event.result.outcome, event.result.amount_minor) == ("n1", Outcome.SUCCEEDED, 500)
    for changed in (
        {"headers": headers, "target": target, "body": body.replace(b"500", b"501")},
        {"headers": headers, "target": "/v1/channels/other/notifications", "body": body},
        {"headers": {}, "target": target, "body": body},
        {"headers": {**headers, "x-channel-signature": "00"}, "target": target, "body": body},
    ):
        with pytest.raises(SignatureInvalid):
            channel.parse_notification(**changed)  # type: ignore[arg-type]
