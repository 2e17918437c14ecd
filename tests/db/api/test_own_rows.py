"""A driver reaches only their own rows: somebody else's id is answered like a guessed one, by every call."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from parkflow import core
from parkflow.app import ROUTERS, create_app
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.kit.encoding import base64url
from parkflow.kit.ids import new_bucket, new_id, to_text
from parkflow.services import Services
from tests import seed
from tests.driver_desk import DriverDesk, card_text
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock

# Calls without ids of rows in their path; they show or make only what belongs to the caller.
WITHOUT_IDS = {
    "POST /v1/driver/one-time-codes",
    "POST /v1/driver/sessions",
    "DELETE /v1/driver/sessions/current",
    "GET /v1/driver/vehicles",
    "POST /v1/driver/vehicles",
    "GET /v1/driver/agreements",
    "POST /v1/driver/agreements",
    "GET /v1/driver/cards",
    "POST /v1/driver/cards",
    "GET /v1/driver/stays",
    "GET /v1/driver/charges",
    "GET /v1/driver/arrears",
    "POST /v1/driver/arrears/repayments",
}


@dataclass
class Neighbours:
    """Two drivers of one operator, each with a card; `mine` calls, `theirs` is what is reached for."""

    services: Services
    mine: DriverDesk
    theirs: DriverDesk
    their_agreement: str


@pytest.fixture
async def neighbours(pool: Pool, clock: HeldClock) -> AsyncIterator[Neighbours]:
    services = services_over(pool, clock)
    async with tx(pool) as conn:
        operator_id = await seed.operator(conn, services.vault)
        await seed.channel(conn, services.vault)
        people = [
            await seed.driver_with_card(conn, services.vault, operator_id=operator_id, phone=phone)
            for phone in ("+14345550101", "+14345550102")
        ]
        tokens = [await seed.session(conn, account_id) for account_id, _ in people]
        agreement_id = await conn.fetchval("select agreement_id from agreement where account_id = $1", people[1][0])
    async with client_of(services) as client:
        mine, theirs = [
            DriverDesk(client, token, card_text(card_id), device_secret=bytes([number]) * 32)
            for number, (token, (_, card_id)) in enumerate(zip(tokens, people, strict=True), start=1)
        ]
        for driver in (mine, theirs):
            assert (await driver.enrol()).status_code == 201
        yield Neighbours(services, mine, theirs, to_text("agr", agreement_id))


def calls_with_ids(services: Services) -> list[tuple[str, str]]:
    """(method, path template) of every driver call that names a row."""
    paths = create_app(services).openapi()["paths"]
    found = [
        (method.upper(), path)
        for path, operations in paths.items()
        if path.startswith("/v1/driver/")
        for method in operations
    ]
    return [(method, path) for method, path in found if f"{method} {path}" not in WITHOUT_IDS]


def body_for(path: str, driver: DriverDesk) -> dict[str, Any] | None:
    """A body that would be right, so that only the ids decide."""
    if path.endswith("/devices"):
        proof = {"challenge": bytes(48), "signature": bytes(64), "public_key": core.public_key(driver.device_secret)}
        return {name: base64url(value) for name, value in proof.items()}
    if path.endswith("/credentials"):
        return driver.request(seed.NOW)
    return None


async def reach(neighbours: Neighbours, method: str, path: str, ids: dict[str, str]) -> httpx.Response:
    mine = neighbours.mine
    return await mine.call(method, path.removeprefix("/v1/driver").format(**ids), body_for(path, mine))


async def test_every_call_with_ids_is_closed_to_others(neighbours: Neighbours) -> None:
    theirs = neighbours.theirs
    their_ids = {"card": theirs.card, "agreement": neighbours.their_agreement, "device": theirs.device}
    # Whose stay it is decides tests/db/parking/test_receipts.py, where there are some.
    their_ids["stay"] = to_text("stay", new_id(new_bucket()))
    guessed = {name: to_text(ids.split("_")[0], new_id(new_bucket())) for name, ids in their_ids.items()}
    calls = calls_with_ids(neighbours.services)
    assert len(calls) >= 7
    leaks = []
    for method, path in calls:
        answers = [await reach(neighbours, method, path, ids) for ids in (their_ids, guessed)]
        # A challenge that was not made for the card is refused before the card is looked up, whoever's it is.
        refused = {(404, "not_found"), (422, "challenge_refused")}
        seen = {(answer.status_code, answer.json()["code"]) for answer in answers}
        if len(seen) != 1 or not seen <= refused or answers[0].text != answers[1].text:
            leaks.append((method, path, [answer.text for answer in answers]))
    assert leaks == []


async def test_a_device_of_another_card_is_not_there(neighbours: Neighbours) -> None:
    mine, theirs = neighbours.mine, neighbours.theirs
    assert (await mine.of_card("DELETE", f"/devices/{theirs.device}")).status_code == 404
    answer = await mine.credential(seed.NOW, device_id=theirs.device)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_card_is_not_issued_on_someone_elses_agreement(neighbours: Neighbours) -> None:
    card = (await neighbours.mine.of_card("GET", "")).json()
    body = {"operator_id": card["operator_id"], "agreement_id": neighbours.their_agreement}
    assert (await neighbours.mine.call("POST", "/cards", body)).status_code == 404


@pytest.mark.parametrize("path", ["/cards", "/agreements", "/vehicles", "/stays", "/charges", "/arrears"])
async def test_lists_show_only_ones_own(neighbours: Neighbours, path: str) -> None:
    await neighbours.theirs.call("POST", "/vehicles", {"plate": "ABC 1234"})
    answer = await neighbours.mine.call("GET", path)
    assert answer.status_code == 200, answer.text
    for foreign in (neighbours.theirs.card, neighbours.their_agreement, "ABC1234"):
        assert foreign not in answer.text


async def test_every_driver_call_but_log_in_needs_a_session(neighbours: Neighbours) -> None:
    open_calls = {"POST /v1/driver/one-time-codes", "POST /v1/driver/sessions"}
    paths = create_app(neighbours.services).openapi()["paths"]
    ids = {"card": neighbours.mine.card, "agreement": neighbours.their_agreement, "device": neighbours.mine.device}
    ids["stay"] = to_text("stay", new_id(new_bucket()))
    for path, operations in paths.items():
        for method in operations:
            if not path.startswith("/v1/driver/") or f"{method.upper()} {path}" in open_calls:
                continue
            answer = await neighbours.mine.client.request(method.upper(), path.format(**ids))
            assert (answer.status_code, answer.json()["code"]) == (401, "session_refused"), (method, path)


def test_every_router_is_mounted_once() -> None:
    assert len({id(router) for router in ROUTERS}) == len(ROUTERS)
