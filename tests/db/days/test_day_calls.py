"""The calls of arrears, returns and days: answers, refusals as problem documents, and nobody sees another's."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from parkflow.cutoff.rules import canonical
from parkflow.db.tx import tx
from parkflow.kit.ids import to_text
from parkflow.operator import service as operators
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from tests import seed
from tests.day_world import Driver, World
from tests.db.days.test_arrears import close_running_day, owing
from tests.edge import client_of


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(world.services) as client:
        yield client


async def bearer(world: World, driver: Driver) -> dict[str, str]:
    async with tx(world.pool) as conn:
        token = await seed.session(conn, driver.account_id, now=world.now)
    return {"Authorization": f"Bearer {token}"}


async def staff(world: World, role: Role, operator_id: int | None = None) -> dict[str, str]:
    principal = Principal(operator_id or world.operator_id, role, f"test {role}")
    async with tx(world.pool) as conn:
        token = await operators.issue_token(conn, principal, now=world.now)
    return {"Authorization": f"Bearer {token}"}


def card_text(driver: Driver) -> str:
    return to_text("card", driver.card_id)


async def test_a_driver_repays(world: World, api: httpx.AsyncClient) -> None:
    driver = await owing(world, "poor", 900)
    headers = await bearer(world, driver)
    await world.top_up(driver, 900)
    answer = await api.post("/v1/driver/arrears/repayments", headers=headers)
    assert (answer.status_code, answer.json()) == (
        200,
        {"paid_minor": 900, "left_minor": 0, "currency": "USD", "state": "paid"},
    )
    again = await api.post("/v1/driver/arrears/repayments", headers=headers, json={"card_id": card_text(driver)})
    assert again.json() == {"paid_minor": 0, "left_minor": 0, "currency": None, "state": "paid"}


async def test_a_driver_returns_a_card_and_takes_it_back(world: World, api: httpx.AsyncClient) -> None:
    driver = await world.driver("w", 0)
    headers, path = await bearer(world, driver), f"/v1/driver/cards/{card_text(driver)}/return"
    assert (await api.get(path, headers=headers)).status_code == 404
    asked = await api.post(path, headers=headers)
    assert (asked.status_code, asked.json()["state"]) == (201, "requested")
    assert (await api.post(path, headers=headers)).json() == asked.json()
    assert (await api.get(path, headers=headers)).json() == asked.json()
    withdrawn = await api.delete(path, headers=headers)
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (200, "withdrawn")
    refused = await api.delete(path, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "return_not_open")


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_the_return_of_anothers_card_is_not_there(world: World, api: httpx.AsyncClient, method: str) -> None:
    mine, theirs = await world.driver("w1", 0), await world.driver("w2", 0)
    await api.post(f"/v1/driver/cards/{card_text(theirs)}/return", headers=await bearer(world, theirs))
    answer = await api.request(
        method, f"/v1/driver/cards/{card_text(theirs)}/return", headers=await bearer(world, mine)
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_repaying_on_anothers_card_is_not_there(world: World, api: httpx.AsyncClient) -> None:
    mine, theirs = await world.driver("w1", 0), await owing(world, "w2", 900)
    body = {"card_id": card_text(theirs)}
    answer = await api.post("/v1/driver/arrears/repayments", headers=await bearer(world, mine), json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_settlement_staff_see_days_and_recompute_the_hash(world: World, api: httpx.AsyncClient) -> None:
    await owing(world, "poor", 900)
    headers = await staff(world, Role.SETTLEMENT)
    days = (await api.get("/v1/operator/days", headers=headers)).json()
    assert [(line["day"], line["state"]) for line in days] == [("2017-10-21", "open"), ("2017-10-20", "closed")]
    day = (await api.get("/v1/operator/days/2017-10-20", headers=headers)).json()
    assert hashlib.sha256(canonical(day["totals"])).hexdigest() == day["sha256"] == days[1]["sha256"]
    missing = await api.get("/v1/operator/days/2001-01-01", headers=headers)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_the_summary_of_lots_adds_up(world: World, api: httpx.AsyncClient) -> None:
    rich, poor = await world.driver("rich", 5_000), await world.driver("poor", 0)
    await world.park(rich.card_id, 900)
    await world.park(poor.card_id, 700)
    await world.settle()
    await close_running_day(world)
    headers = await staff(world, Role.ADMIN)
    span = {"from": "2017-10-20", "to": "2017-10-20"}
    (lot,) = (await api.get("/v1/operator/lots/summary", headers=headers, params=span)).json()
    assert (lot["stays"], lot["charges"], lot["charged_minor"]) == (2, 2, 1_600)
    assert (lot["paid_minor"], lot["arrears"], lot["arrears_minor"], lot["due_minor"]) == (900, 1, 700, 0)
    (empty,) = (
        await api.get("/v1/operator/lots/summary", headers=headers, params={"from": "2017-10-19", "to": "2017-10-19"})
    ).json()
    assert empty["stays"] == 0
    wrong = await api.get(
        "/v1/operator/lots/summary", headers=headers, params={"from": "2017-10-20", "to": "2017-10-19"}
    )
    assert (wrong.status_code, wrong.json()["code"]) == (422, "malformed_span")


async def test_days_are_for_those_whose_role_allows_it_and_of_their_operator_only(
    world: World, api: httpx.AsyncClient
) -> None:
    async with tx(world.pool) as conn:
        other = await seed.operator(conn, world.services.vault, name="Other")
    support, stranger = await staff(world, Role.SUPPORT), await staff(world, Role.ADMIN, other)
    for path in ("/v1/operator/days", "/v1/operator/days/2017-10-20"):
        assert (await api.get(path, headers=support)).status_code == 403
    assert (await api.get("/v1/operator/days", headers=stranger)).json() == []
    assert (await api.get("/v1/operator/days/2017-10-20", headers=stranger)).status_code == 404


async def test_an_exception_for_a_gate_is_an_admins_and_on_record(world: World, api: httpx.AsyncClient) -> None:
    path = f"/v1/operator/gates/{to_text('gate', world.gate_id)}/return-exceptions"
    body = {"until": (world.now + timedelta(days=1)).isoformat(), "reason": "lane closed for good"}
    assert (await api.post(path, headers=await staff(world, Role.SETTLEMENT), json=body)).status_code == 403
    assert (await api.post(path, headers=await staff(world, Role.ADMIN), json=body)).status_code == 201
    noted = await world.value("select subject from operator_audit where action = 'return_exception'")
    assert isinstance(noted, str)
    assert noted.endswith("lane closed for good")
