"""The operator's calls: roles, own rows only, refusals that say what would be right, an audit row for each change."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import httpx
import pytest

from parkflow import core
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.kit.encoding import base64url
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import NewOperator, Principal
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock


@dataclass
class Desk:
    """An operator's admin in front of the API."""

    client: httpx.AsyncClient
    pool: Pool
    operator_id: int
    token: str

    async def call(self, method: str, path: str, *, token: str | None = None, **body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return await self.client.request(method, f"/v1/operator{path}", headers=headers, json=body or None)

    async def lane(self, reference: str = "a") -> str:
        lot = (await self.call("POST", "/lots", reference=reference, name="A")).json()["lot_id"]
        lane = await self.call("POST", f"/lots/{lot}/lanes", reference="in", direction="entry")
        lane_id: str = lane.json()["lane_id"]
        return lane_id


@pytest.fixture
async def desk(pool: Pool, clock: HeldClock) -> AsyncIterator[Desk]:
    services = services_over(pool, clock)
    new = NewOperator("Downtown", "America/New_York", "USD", 2000)
    async with tx(pool) as conn:
        operator_id, token = await operator_service.create(conn, services.vault, new, now=clock.now())
    async with client_of(services) as client:
        yield Desk(client, pool, operator_id, token)


async def other_token(desk: Desk, clock: HeldClock) -> str:
    """The admin token of another operator."""
    new = NewOperator("Uptown", "America/New_York", "USD", 0)
    async with tx(desk.pool) as conn:
        return (await operator_service.create(conn, services_over(desk.pool, clock).vault, new, now=clock.now()))[1]


async def test_a_lot_takes_the_operators_zone_and_every_default_of_the_policy(desk: Desk) -> None:
    answer = await desk.call("POST", "/lots", reference="market-st", name="Market Street", policy={"skew_seconds": 60})
    assert answer.status_code == 201, answer.text
    lot = answer.json()
    assert lot["time_zone"] == "America/New_York"
    assert lot["policy"] == {
        "code_age_max_seconds": 30,
        "skew_seconds": 60,
        "exit_denied": "accept",
        "missing_exit_hours": 48,
        "passback_seconds": 60,
        "missing_exit": "abandon",
        "missing_entry": "reject",
        "missing_minutes": 24 * 60,
        "risk": [
            {
                "outcome": "flag",
                "ceiling_from": 0,
                "code_age_from_seconds": 0,
                "bundle_age_from_seconds": 86_400,
            }
        ],
    }
    assert (await desk.call("GET", "/lots")).json() == [lot]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"reference": "a b", "name": "A"}, "invalid_lot"),
        ({"reference": "a", "name": " "}, "invalid_lot"),
        ({"reference": "a", "name": "A", "time_zone": "Mars/Olympus"}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"skew_seconds": True}}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"skew": 1}}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"exit_denied": "shoot"}}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"passback_seconds": -1}}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"risk": "none"}}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"risk": [{"ceiling_from": 5}]}}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"risk": [{"outcome": "sing"}]}}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"risk": [{"outcome": "flag", "age": 1}]}}, "invalid_lot"),
        ({"reference": "a", "name": "A", "policy": {"risk": [{"outcome": "flag"}] * 2}}, "invalid_lot"),
        (
            {"reference": "a", "name": "A", "policy": {"risk": [{"outcome": "flag", "ceiling_from": 65_536}]}},
            "invalid_lot",
        ),
        ({"reference": "a", "name": "A", "colour": "red"}, "invalid_request"),
    ],
)
async def test_a_wrong_lot_is_refused_by_name(desk: Desk, body: dict[str, Any], code: str) -> None:
    answer = await desk.call("POST", "/lots", **body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_reference_is_used_once(desk: Desk) -> None:
    await desk.call("POST", "/lots", reference="a", name="A")
    answer = await desk.call("POST", "/lots", reference="a", name="B")
    assert (answer.status_code, answer.json()["code"]) == (409, "reference_taken")


async def test_the_same_gate_key_at_the_same_lane_is_the_same_gate(desk: Desk) -> None:
    lane, key = await desk.lane(), base64url(core.public_key(bytes([7] * 32)))
    first = await desk.call("POST", "/gates", lane_id=lane, public_key=key)
    assert first.status_code == 201, first.text
    again = await desk.call("POST", "/gates", lane_id=lane, public_key=key)
    assert again.json() == first.json()
    elsewhere = await desk.call("POST", "/gates", lane_id=await desk.lane("b"), public_key=key)
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "gate_key_in_use")


@pytest.mark.parametrize("key", [bytes(32), bytes([1]) + bytes(31), bytes([255] * 32), bytes(31)])
async def test_a_gate_key_that_is_no_safe_point_is_refused(desk: Desk, key: bytes) -> None:
    answer = await desk.call("POST", "/gates", lane_id=await desk.lane(), public_key=base64url(key))
    assert (answer.status_code, answer.json()["code"]) == (422, "gate_key_refused")


async def test_a_retired_gate_never_comes_back(desk: Desk) -> None:
    key = base64url(core.public_key(bytes([7] * 32)))
    gate = (await desk.call("POST", "/gates", lane_id=await desk.lane(), public_key=key)).json()["gate_id"]
    retired = await desk.call("POST", f"/gates/{gate}/events", event="retire", reason="stolen")
    assert retired.json()["state"] == "retired"
    back = await desk.call("POST", f"/gates/{gate}/events", event="release", reason="found")
    assert (back.status_code, back.json()["code"]) == (409, "illegal_transition")


async def test_another_operators_rows_are_not_found(desk: Desk, clock: HeldClock) -> None:
    lane, stranger = await desk.lane(), await other_token(desk, clock)
    lot = (await desk.call("GET", "/lots")).json()[0]["lot_id"]
    key = base64url(core.public_key(bytes([7] * 32)))
    gate = (await desk.call("POST", "/gates", lane_id=lane, public_key=key)).json()["gate_id"]
    tried = [
        await desk.call("POST", f"/lots/{lot}/lanes", token=stranger, reference="x", direction="exit"),
        await desk.call("POST", "/gates", token=stranger, lane_id=lane, public_key=key),
        await desk.call("POST", f"/gates/{gate}/events", token=stranger, event="retire", reason="x"),
        await desk.call(
            "PUT", f"/lots/{lot}/tariff", token=stranger, sha256="00" * 32, valid_from="2017-01-01T00:00:00Z"
        ),
    ]
    assert [answer.status_code for answer in tried] == [404] * 4
    assert (await desk.call("GET", "/lots", token=stranger)).json() == []


@pytest.mark.parametrize("token", ["", "pfop_", "pfop_" + "A" * 43, "x" * 10_000])
async def test_without_a_valid_token_nothing_is_answered(desk: Desk, token: str) -> None:
    answer = await desk.client.get("/v1/operator/lots", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")


async def test_a_revoked_token_opens_nothing(desk: Desk) -> None:
    token = (await desk.call("POST", "/tokens", name="till", role="admin")).json()["token"]
    assert (await desk.call("GET", "/lots", token=token)).status_code == 200
    assert (await desk.call("DELETE", "/tokens/till")).status_code == 204
    assert (await desk.call("GET", "/lots", token=token)).status_code == 401


@pytest.mark.parametrize("role", [Role.SETTLEMENT, Role.SUPPORT])
async def test_only_admins_configure_and_give_tokens(desk: Desk, clock: HeldClock, role: Role) -> None:
    async with tx(desk.pool) as conn:
        weak = await operator_service.issue_token(conn, Principal(desk.operator_id, role, "weak"), now=clock.now())
    tried = [
        await desk.call("POST", "/lots", token=weak, reference="a", name="A"),
        await desk.call("POST", "/tokens", token=weak, name="x", role="admin"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in tried] == [(403, "role_not_allowed")] * 2


async def test_a_tariff_is_published_as_text_and_put_on_a_lot(desk: Desk) -> None:
    source = (resources.files("parkflow.tariff") / "library" / "us-charlottesville-2017.yaml").read_text("utf-8")
    lot = (await desk.call("POST", "/lots", reference="a", name="A")).json()["lot_id"]
    published = await desk.call("POST", "/tariffs", source=source)
    assert published.status_code == 201, published.text
    assert (published.json()["tariff_id"], published.json()["version"]) == ("us-charlottesville-2017", 1)
    wanted = {"sha256": published.json()["sha256"], "valid_from": "2017-10-20T00:00:00Z"}
    put = await desk.call("PUT", f"/lots/{lot}/tariff", **wanted)
    assert (put.status_code, put.json()) == (200, wanted)
    broken = await desk.call("POST", "/tariffs", source="ptl: 1\nid: [")
    assert (broken.status_code, broken.json()["code"]) == (422, "tariff_invalid")
    local = await desk.call("PUT", f"/lots/{lot}/tariff", sha256=wanted["sha256"], valid_from="2017-10-20T00:00:00")
    assert local.status_code == 422, "an instant without a zone is none"


async def test_every_change_leaves_an_audit_row(desk: Desk) -> None:
    await desk.lane()
    async with desk.pool.acquire() as conn:
        rows = await conn.fetch("select action, token_name, role from operator_audit order by action")
    assert [tuple(row.values()) for row in rows] == [
        ("lane_created", "admin", "admin"),
        ("lot_created", "admin", "admin"),
    ]


async def test_the_root_secret_opens_only_with_the_vault_and_fits_the_public_key(desk: Desk, clock: HeldClock) -> None:
    async with desk.pool.acquire() as conn:
        vault = services_over(desk.pool, clock).vault
        secret = await operator_service.root_secret(conn, vault, desk.operator_id)
        operator = await operator_service.get(conn, desk.operator_id)
    assert core.public_key(secret) == operator.root_public_key
