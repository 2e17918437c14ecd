"""The simulated channel over real HTTP: one order per number, plans, faults, notifications, bills."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gate_sim.channel import wire
from gate_sim.channel.book import Book
from gate_sim.channel.clock import SetTime
from gate_sim.channel.desk import Desk
from gate_sim.channel.plan import Plan, notification_delays_seconds, order_plan
from gate_sim.channel.server import serving

SECRET = b"test secret of the channel"
NOON_MS = int(datetime(2017, 10, 20, 16, tzinfo=UTC).timestamp()) * 1000


class Caller:
    """A client that signs like the service does."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def call(self, method: str, target: str, body: dict[str, Any] | None = None) -> httpx.Response:
        content = b"" if body is None else json.dumps(body).encode()
        at_ms = time.time_ns() // 1_000_000
        signature = wire.sign_request(SECRET, at_ms=at_ms, method=method, target=target, body=content)
        headers = {wire.TIME_HEADER: str(at_ms), wire.SIGNATURE_HEADER: signature}
        return await self.client.request(method, target, content=content, headers=headers)

    async def signed_wallet(self, wallet: str, funds_minor: int, *plan: Plan) -> str:
        """A wallet whose driver has confirmed an agreement; its reference."""
        await self.client.post("/v1/wallets", json={"wallet": wallet, "funds_minor": funds_minor, "plan": list(plan)})
        opened = (await self.call("POST", "/v1/agreements", {"external_no": f"ext{wallet}"})).json()
        confirmed = await self.client.post(opened["sign_url"], json={"wallet": wallet})
        return str(confirmed.json()["ref"])

    async def deduct(self, order_no: str, ref: str, amount_minor: int = 500) -> httpx.Response:
        order = {"order_no": order_no, "agreement_ref": ref, "amount_minor": amount_minor, "currency": "USD"}
        return await self.call("POST", "/v1/orders", order)

    async def funds(self, wallet: str) -> int:
        return int((await self.client.get(f"/v1/wallets/{wallet}")).json()["funds_minor"])


@pytest.fixture
def time_of_channel() -> SetTime:
    return SetTime(NOON_MS)


@pytest.fixture
async def caller(tmp_path: Path, time_of_channel: SetTime) -> AsyncIterator[Caller]:
    book = Book(tmp_path / "book.sqlite")
    async with (
        serving(Desk(book, time_of_channel, seed=7, secret=SECRET)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield Caller(client)
    book.close()


async def test_the_same_number_with_the_same_bytes_is_one_order(caller: Caller) -> None:
    ref = await caller.signed_wallet("w1", 900, Plan.OK)
    first = await caller.deduct("order0001", ref)
    again = await caller.deduct("order0001", ref)
    assert first.json() == again.json()
    assert first.json()["state"] == "succeeded"
    assert await caller.funds("w1") == 400
    assert (await caller.deduct("order0001", ref, 501)).status_code == 409


async def test_an_empty_wallet_is_declined_and_stays_declined_under_that_number(caller: Caller) -> None:
    ref = await caller.signed_wallet("w1", 100, Plan.OK, Plan.OK)
    assert (await caller.deduct("order0001", ref)).json()["reason"] == "insufficient_funds"
    await caller.client.post("/v1/wallets/w1/top-up", json={"amount_minor": 1000})
    assert (await caller.deduct("order0001", ref)).json()["state"] == "declined"
    assert (await caller.deduct("order0002", ref)).json()["state"] == "succeeded"


@pytest.mark.parametrize(
    ("plan", "has_effect"),
    [(Plan.TIMEOUT_BEFORE, False), (Plan.TIMEOUT_AFTER, True), (Plan.TRUNCATED, True)],
)
async def test_a_lost_answer_says_nothing_and_the_query_says_all(caller: Caller, plan: Plan, has_effect: bool) -> None:
    ref = await caller.signed_wallet("w1", 500, plan)
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.deduct("order0001", ref)
    found = await caller.call("GET", "/v1/orders/order0001")
    assert found.status_code == (200 if has_effect else 404)
    assert (await caller.deduct("order0001", ref)).json()["state"] == "succeeded"
    assert await caller.funds("w1") == 0


@pytest.mark.parametrize(("plan", "status"), [(Plan.ERROR_BEFORE, 500), (Plan.ERROR_AFTER, 500), (Plan.UNSIGNED, 200)])
async def test_faulty_answers_carry_no_signature(caller: Caller, plan: Plan, status: int) -> None:
    ref = await caller.signed_wallet("w1", 500, plan)
    answer = await caller.deduct("order0001", ref)
    assert answer.status_code == status
    assert wire.SIGNATURE_HEADER not in answer.headers
    assert (await caller.deduct("order0001", ref)).json()["state"] == "succeeded"


@pytest.mark.parametrize(("plan", "final"), [(Plan.PENDING, "succeeded"), (Plan.PENDING_DECLINED, "declined")])
async def test_a_pending_order_is_decided_later(
    caller: Caller, time_of_channel: SetTime, plan: Plan, final: str
) -> None:
    ref = await caller.signed_wallet("w1", 500, plan)
    assert (await caller.deduct("order0001", ref)).json()["state"] == "pending"
    time_of_channel.at_ms += 200_000
    assert (await caller.call("GET", "/v1/orders/order0001")).json()["state"] == final


async def test_a_cancelled_pending_order_gives_the_money_back(caller: Caller) -> None:
    ref = await caller.signed_wallet("w1", 500, Plan.PENDING)
    await caller.deduct("order0001", ref)
    assert await caller.funds("w1") == 0
    assert (await caller.call("POST", "/v1/orders/order0001/cancel")).json()["state"] == "closed"
    assert await caller.funds("w1") == 500
    assert (await caller.call("POST", "/v1/orders/order0002/cancel")).json()["state"] == "absent"


async def test_refunds_are_one_per_number_and_never_exceed_the_order(caller: Caller) -> None:
    ref = await caller.signed_wallet("w1", 500, Plan.OK)
    await caller.deduct("order0001", ref)
    refund = {"refund_no": "refund0001", "amount_minor": 500}
    first = await caller.call("POST", "/v1/orders/order0001/refunds", refund)
    again = await caller.call("POST", "/v1/orders/order0001/refunds", refund)
    assert first.json() == again.json()
    more = await caller.call("POST", "/v1/orders/order0001/refunds", {"refund_no": "refund0002", "amount_minor": 1})
    assert more.status_code == 409
    assert await caller.funds("w1") == 500


async def test_unsigned_stale_and_tampered_requests_are_refused(caller: Caller) -> None:
    assert (await caller.client.get("/v1/orders/order0001")).status_code == 401
    old = str(time.time_ns() // 1_000_000 - wire.FRESH_MS - 1000)
    signature = wire.sign_request(SECRET, at_ms=int(old), method="GET", target="/v1/orders/order0001", body=b"")
    headers = {wire.TIME_HEADER: old, wire.SIGNATURE_HEADER: signature}
    assert (await caller.client.get("/v1/orders/order0001", headers=headers)).status_code == 401


async def test_an_ended_agreement_deducts_nothing(caller: Caller) -> None:
    ref = await caller.signed_wallet("w1", 500, Plan.OK)
    assert (await caller.call("POST", f"/v1/agreements/{ref}/end")).json()["state"] == "ended"
    assert (await caller.deduct("order0001", ref)).json()["reason"] == "agreement_gone"


async def test_the_bill_of_a_day_holds_its_rows_when_the_day_is_over(caller: Caller, time_of_channel: SetTime) -> None:
    ref = await caller.signed_wallet("w1", 900, Plan.OK, Plan.OK)
    await caller.deduct("order0001", ref)
    target = "/v1/bills/2017-10-20?zone=America/New_York"
    assert (await caller.call("GET", target)).status_code == 409
    time_of_channel.at_ms += 24 * 3_600_000
    await caller.deduct("order0002", ref, 400)
    bill = (await caller.call("GET", target)).json()
    assert (bill["rows"], bill["pay_total_minor"], bill["refund_total_minor"]) == (1, 500, 0)
    assert bill["csv"].splitlines()[1].startswith("pay,order0001,")


async def test_the_book_survives_and_the_plan_is_used_once(tmp_path: Path) -> None:
    path, at = tmp_path / "book.sqlite", SetTime(NOON_MS)
    for expected in (httpx.RemoteProtocolError, None):
        book = Book(path)
        async with (
            serving(Desk(book, at, seed=7, secret=SECRET)) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            caller = Caller(client)
            ref = await caller.signed_wallet("w1", 500, Plan.TIMEOUT_AFTER)
            if expected:
                with pytest.raises(expected):
                    await caller.deduct("order0001", ref)
            else:
                assert (await caller.deduct("order0001", ref)).json()["state"] == "succeeded"
        book.close()


async def test_notifications_are_signed_and_come_again_until_they_are_taken(tmp_path: Path) -> None:
    taken: list[tuple[bytes, bool]] = []
    at, book = SetTime(NOON_MS), Book(tmp_path / "book.sqlite")

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields["content-length"]))
        stated = fields[wire.TIME_HEADER.lower()]
        right = wire.sign_request(SECRET, at_ms=int(stated), method="POST", target="/notify", body=body)
        taken.append((body, right == fields[wire.SIGNATURE_HEADER.lower()]))
        status = b"503 No" if len(taken) == 1 else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    sink = await asyncio.start_server(receive, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{sink.sockets[0].getsockname()[1]}/notify"
    order_no = "order0001"
    wallet = next(
        f"w{n}" for n in range(99) if notification_delays_seconds(7, "order", wallet=f"w{n}", place=1) == (1,)
    )
    desk = Desk(book, at, seed=7, secret=SECRET)
    async with (
        serving(desk, notify_url=url) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        caller = Caller(client)
        await caller.deduct(order_no, await caller.signed_wallet(wallet, 500, Plan.OK))
        while len(taken) < 2:
            # Time goes on all the while: the wait for the second try begins only when the first one's answer is noted.
            at.at_ms += 1_000
            await asyncio.sleep(0.005)
    sink.close()
    await sink.wait_closed()
    book.close()
    assert [valid for _, valid in taken] == [True, True]
    assert taken[0][0] == taken[1][0]
    assert json.loads(taken[0][0])["order"]["order_no"] == order_no


def test_a_plan_depends_on_the_seed_and_the_place_of_the_order_alone() -> None:
    drawn = [order_plan(7, wallet=f"w{n % 50}", place=n) for n in range(2000)]
    assert drawn == [order_plan(7, wallet=f"w{n % 50}", place=n) for n in range(2000)]
    assert set(drawn) == set(Plan)
    assert drawn.count(Plan.OK) > 1500
