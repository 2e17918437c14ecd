"""A lot's sign is made by its operator alone, and what is no sign of ours is refused by name."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from parkflow import core, qr
from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import tx
from parkflow.kit.ids import to_text
from parkflow.lot import service as lots
from parkflow.lot.rules import Direction
from parkflow.lot.service import NewLot
from parkflow.operator import service as operators
from parkflow.operator.rules import Role
from parkflow.operator.service import NewOperator, Principal
from parkflow.vault import Vault
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock
from tests.seed import NOW

ADDRESS = "HTTPS://PARK.EXAMPLE/L/"
Query = dict[str, str | int]
ENTRY: Query = {"purpose": "entry"}


@dataclass
class Company:
    """An operator with a lot that has a lane of each direction, and the secret of its root key."""

    operator_id: int
    token: str
    root_secret: bytes
    lot: lots.Lot
    lanes: dict[str, lots.Lane]

    def path(self, direction: str) -> str:
        """Where the signs of that lane are made."""
        lane = to_text(lots.LANE_ID_PREFIX, self.lanes[direction].lane_id)
        return f"/v1/operator/lots/{to_text(lots.ID_PREFIX, self.lot.lot_id)}/lanes/{lane}/qr"

    def signed(self, direction: str, purpose: str, **other: int) -> str:
        """A sign by the operator's own key that says what the test wants."""
        said = {"operator_id": self.operator_id, "lot_id": self.lot.lot_id, "lane_id": self.lanes[direction].lane_id}
        said |= other
        return core.sign_lot_qr(self.root_secret, core.LotQrFields(**said, purpose=purpose, issued_at_s=0))


@dataclass
class Town:
    """Two companies, and the API in front of them."""

    client: httpx.AsyncClient
    pool: Pool
    ours: Company
    theirs: Company

    async def make(self, direction: str, query: Query, *, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.ours.token}"}
        return await self.client.get(self.ours.path(direction), headers=headers, params=query)

    async def refusal(self, token: str) -> str:
        """The reason for which the service refuses a sign."""
        answer = await self.client.get(f"/v1/lot-qr/{token}")
        assert (answer.status_code, answer.json()["code"]) == (422, "lot_qr_refused"), answer.text
        before, _, reason = answer.json()["detail"].rpartition(": ")
        assert before == "this is no QR code of a lot of ours"
        return str(reason)


async def company(conn: Conn, vault: Vault, name: str) -> Company:
    new = NewOperator(name, "America/New_York", "USD", 2_000)
    created = await operators.create(conn, vault, new, now=NOW)
    lot = await lots.create_lot(
        conn, operator_id=created.operator_id, new=NewLot("market", "Market Street", "America/New_York"), now=NOW
    )
    lanes = {
        str(direction): await lots.create_lane(
            conn,
            operator_id=created.operator_id,
            lot_id=lot.lot_id,
            reference=f"lane-{direction}",
            direction=direction,
            now=NOW,
        )
        for direction in Direction
    }
    secret = await operators.root_secret(conn, vault, created.operator_id)
    return Company(created.operator_id, created.admin_token, secret, lot, lanes)


@pytest.fixture
async def town(pool: Pool, clock: HeldClock) -> AsyncIterator[Town]:
    services = services_over(pool, clock)
    async with tx(pool) as conn:
        ours, theirs = [await company(conn, services.vault, name) for name in ("Downtown", "Uptown")]
    async with client_of(services) as client:
        yield Town(client, pool, ours, theirs)


@pytest.mark.parametrize(
    ("direction", "purpose"),
    [
        ("entry", "entry"),
        ("both", "entry"),
        ("exit", "exit"),
        ("both", "exit"),
        ("entry", "prepay"),
        ("exit", "prepay"),
        ("both", "prepay"),
    ],
)
async def test_a_sign_tells_everybody_where_it_stands(town: Town, direction: str, purpose: str) -> None:
    made = await town.make(direction, {"purpose": purpose, "format": "text"})
    assert (made.status_code, made.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert made.text.startswith(ADDRESS)
    answer = await town.client.get(f"/v1/lot-qr/{made.text.removeprefix(ADDRESS)}")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "operator_name": "Downtown",
            "lot_id": to_text("lot", town.ours.lot.lot_id),
            "lot_name": "Market Street",
            "lane_id": to_text("lane", town.ours.lanes[direction].lane_id),
            "lane_reference": f"lane-{direction}",
            "purpose": purpose,
        },
    )


async def test_a_sign_says_when_it_was_signed_and_by_whom(town: Town, clock: HeldClock) -> None:
    text = (await town.make("entry", ENTRY | {"format": "text"})).text
    said = core.verify_lot_qr(text.removeprefix(ADDRESS), core.public_key(town.ours.root_secret))
    assert (said.operator_id, said.issued_at_s) == (town.ours.operator_id, int(clock.now().timestamp()))


async def test_a_sign_is_drawn_for_print(town: Town) -> None:
    # The clock stands, and a signature of the same bytes is the same, so that every answer shows one text.
    text = (await town.make("entry", ENTRY | {"format": "text"})).text
    for query in (ENTRY, ENTRY | {"format": "svg"}):
        svg = await town.make("entry", query)
        assert (svg.headers["content-type"], svg.text) == ("image/svg+xml", qr.lot_qr_svg(text))
    png_query: Query = ENTRY | {"format": "png"}
    for query, pixels in [(png_query, 1_000), (png_query | {"pixels": 400}, 400)]:
        png = await town.make("entry", query)
        assert (png.headers["content-type"], png.content) == ("image/png", qr.lot_qr_png(text, pixels))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "invalid_request"),
        ({"purpose": "dance"}, "invalid_request"),
        ({"purpose": "entry", "format": "gif"}, "invalid_request"),
        ({"purpose": "entry", "colour": "red"}, "invalid_request"),
        ({"purpose": "entry", "format": "png", "pixels": 4_001}, "invalid_request"),
        ({"purpose": "entry", "format": "png", "pixels": 100}, "qr_pixels_refused"),
        ({"purpose": "exit"}, "lot_qr_purpose_unfit"),
    ],
)
async def test_a_sign_that_makes_no_sense_is_not_made(town: Town, query: Query, code: str) -> None:
    answer = await town.make("entry", query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_only_the_operators_admins_make_its_signs_and_each_is_on_record(town: Town, pool: Pool) -> None:
    async with tx(pool) as conn:
        weak = await operators.issue_token(conn, Principal(town.ours.operator_id, Role.SUPPORT, "weak"), now=NOW)
    tried = [await town.make("entry", ENTRY, token=token) for token in (weak, "x", town.theirs.token)]
    assert [(answer.status_code, answer.json()["code"]) for answer in tried] == [
        (403, "role_not_allowed"),
        (401, "token_refused"),
        (404, "not_found"),
    ]
    await town.make("entry", ENTRY)
    async with pool.acquire() as conn:
        rows = await conn.fetch("select operator_id, token_name, action, subject from operator_audit")
    lane = to_text("lane", town.ours.lanes["entry"].lane_id)
    assert [tuple(row.values()) for row in rows] == [(town.ours.operator_id, "admin", "lot_qr_made", f"{lane} entry")]


async def test_a_lane_of_another_lot_gets_no_sign_of_this_one(town: Town, pool: Pool) -> None:
    async with tx(pool) as conn:
        new = NewLot("other", "Other", "America/New_York")
        other = await lots.create_lot(conn, operator_id=town.ours.operator_id, new=new, now=NOW)
    town.ours.lot = other
    answer = await town.make("entry", ENTRY)
    assert (answer.status_code, answer.json()["detail"]) == (404, "the lot has no such lane")
    assert await town.refusal(town.ours.signed("entry", "entry")) == "unknown_lane"


async def test_a_fake_sticker_is_refused_by_its_reason(town: Town) -> None:
    ours, theirs = town.ours, town.theirs
    good = ours.signed("entry", "entry")
    # A company signs a sign in the name of another one, which is what a fake sticker is.
    borrowed = theirs.signed("entry", "entry", operator_id=ours.operator_id)
    expected = {
        "A" * 201: "too_long",
        good.lower(): "bad_base32",
        good[:-1]: "bad_base32",
        good + "A": "bad_length",
        borrowed: "bad_signature",
        ours.signed("entry", "entry", operator_id=theirs.operator_id): "bad_signature",
        ours.signed("entry", "entry", operator_id=1): "unknown_operator",
        ours.signed("entry", "entry", operator_id=-1): "unknown_operator",
        ours.signed("entry", "entry", lot_id=1): "unknown_lot",
        ours.signed("entry", "entry", lot_id=theirs.lot.lot_id): "unknown_lot",
        ours.signed("entry", "entry", lane_id=1): "unknown_lane",
        ours.signed("entry", "entry", lane_id=-(2**63)): "unknown_lane",
        ours.signed("entry", "entry", lane_id=theirs.lanes["entry"].lane_id): "unknown_lane",
        ours.signed("entry", "exit"): "wrong_direction",
        ours.signed("exit", "entry"): "wrong_direction",
    }
    assert {token: await town.refusal(token) for token in expected} == expected
    assert (await town.client.get(f"/v1/lot-qr/{good}")).status_code == 200
