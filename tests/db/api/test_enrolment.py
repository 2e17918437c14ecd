"""A new driver from the first text message to the first code, over HTTP, with a channel that answers over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from gate_sim.channel.book import Book
from gate_sim.channel.clock import SetTime
from gate_sim.channel.desk import Desk
from gate_sim.channel.server import serving
from parkflow.account import service as accounts
from parkflow.channel.service import load_channels
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.kit.ids import to_text
from parkflow.services import Services
from tests import seed
from tests.driver_desk import DriverDesk
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock

PHONE = "+14345550123"


@dataclass
class Town:
    """The API, a channel, and the text of the operator's id."""

    services: Services
    client: httpx.AsyncClient
    channel: httpx.AsyncClient
    operator: str

    async def newcomer(self, plan: list[str]) -> DriverDesk:
        """A driver with a session, an active agreement on a wallet with `plan`, and an issued card."""
        await self.client.post("/v1/driver/one-time-codes", json={"phone": PHONE})
        async with self.services.pool.acquire() as conn:
            notice = await accounts.newest_code_notice(conn, self.services.vault, phone=PHONE)
        assert notice is not None
        session = await self.client.post("/v1/driver/sessions", json={"phone": PHONE, "one_time_code": notice.body})
        driver = DriverDesk(self.client, session.json()["token"], "")
        agreement = (await driver.call("POST", "/agreements", {"channel": seed.CHANNEL})).json()
        await self.channel.post("/v1/wallets", json={"wallet": "w", "funds_minor": 5_000, "plan": plan})
        await self.channel.post(agreement["sign_url"], json={"wallet": "w"})
        refreshed = await driver.call("GET", f"/agreements/{agreement['agreement_id']}")
        assert refreshed.json()["state"] == "active"
        body = {"operator_id": self.operator, "agreement_id": agreement["agreement_id"]}
        card = await driver.call("POST", "/cards", body)
        assert card.status_code == 201, card.text
        assert card.json()["state"] == "issued"
        driver.card = card.json()["card_id"]
        return driver


@pytest.fixture
async def town(pool: Pool, clock: HeldClock, tmp_path: Path) -> AsyncIterator[Town]:
    book = Book(tmp_path / "book.sqlite")
    desk = Desk(book, SetTime(int(clock.now().timestamp()) * 1000), seed=1, secret=bytes(32))
    services = services_over(pool, clock)
    async with serving(desk) as port:
        base_url = f"http://127.0.0.1:{port}"
        async with tx(pool) as conn:
            operator_id = await seed.operator(conn, services.vault)
            await seed.channel(conn, services.vault, base_url=base_url)
        channels = await load_channels(pool, services.vault, clock=clock, timeout_seconds=5)
        services = replace(services, channels=channels)
        async with httpx.AsyncClient(base_url=base_url) as channel, client_of(services) as client:
            yield Town(services, client, channel, to_text("op", operator_id))
        await channels.aclose()
    book.close()


async def test_a_newcomer_gets_a_code_after_the_deposit(town: Town, clock: HeldClock) -> None:
    driver = await town.newcomer(["ok"])
    assert (await driver.enrol()).status_code == 201
    assert (await driver.credential(clock.now())).json()["code"] == "card_not_active"
    paid = await driver.of_card("POST", "/deposit")
    assert (paid.status_code, paid.json()) == (200, {"state": "paid", "card_state": "active"})
    assert (await driver.credential(clock.now())).status_code == 201
    listed = (await driver.call("GET", "/charges")).json()["charges"]
    assert [(charge["kind"], charge["state"], charge["net_minor"]) for charge in listed] == [("deposit", "paid", 2_000)]


async def test_a_deposit_is_paid_once_however_often_it_is_asked_for(town: Town) -> None:
    driver = await town.newcomer(["ok"])
    answers = [await driver.of_card("POST", "/deposit") for _ in range(3)]
    assert {answer.text for answer in answers} == {'{"state":"paid","card_state":"active"}'}
    wallet = (await town.channel.get("/v1/wallets/w")).json()
    assert wallet["funds_minor"] == 3_000


async def test_a_declined_deposit_leaves_the_card_issued_until_it_is_paid(town: Town) -> None:
    driver = await town.newcomer(["insufficient", "ok"])
    assert (await driver.of_card("POST", "/deposit")).json() == {"state": "declined", "card_state": "issued"}
    assert (await driver.of_card("POST", "/deposit")).json() == {"state": "paid", "card_state": "active"}


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_after"])
async def test_a_deposit_whose_answer_is_lost_is_asked_about_and_taken_once(
    town: Town, clock: HeldClock, fault: str
) -> None:
    driver = await town.newcomer([fault, "ok", "ok"])
    for _ in range(4):
        answer = (await driver.of_card("POST", "/deposit")).json()
        if answer["state"] == "paid":
            break
        clock.advance(minutes=5)
    assert answer == {"state": "paid", "card_state": "active"}
    assert (await town.channel.get("/v1/wallets/w")).json()["funds_minor"] == 3_000


async def test_lists_come_in_pages_without_gaps_or_doubles(town: Town) -> None:
    driver = await town.newcomer(["ok"])
    await driver.of_card("POST", "/deposit")
    first = (await driver.call("GET", "/charges?limit=1")).json()
    assert len(first["charges"]) == 1
    second = (await driver.call("GET", f"/charges?limit=1&before={first['next']}")).json()
    assert second == {"charges": [], "next": None}
    for mark in ("x", "1.card_0000000000000", "1.chg_x"):
        assert (await driver.call("GET", f"/charges?before={mark}")).status_code == 422
    assert (await driver.call("GET", "/stays")).json() == {"stays": [], "next": None}
    assert (await driver.call("GET", "/arrears")).json() == {"arrears": []}
