"""An operator's people look through passages without a card and decide about them; each look is on record."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from parkflow.db.tx import tx
from parkflow.kit.ids import bucket_of, to_text
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from tests import seed
from tests.db.parking.conftest import Lot
from tests.db.parking.seen import charges, driver_with_plate, later, outcomes, sees, work

pytestmark = pytest.mark.usefixtures("check_invariants")


@dataclass
class Desk:
    """People of two operators in front of the API."""

    lot: Lot
    tokens: dict[str, str]

    async def call(self, method: str, path: str, who: str = "support", **body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        return await self.lot.client.request(method, f"/v1/operator{path}", headers=headers, json=body or None)

    async def listed(self, query: str = "", who: str = "support") -> list[dict[str, Any]]:
        answer = await self.call("GET", f"/sightings{query}", who)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["sightings"]
        return found

    async def audit(self) -> list[tuple[str, str]]:
        async with self.lot.pool.acquire() as conn:
            rows = await conn.fetch("select action, subject from operator_audit order by at, action")
        return [(row["action"], row["subject"]) for row in rows]


@pytest.fixture
async def desk(lot: Lot) -> Desk:
    async with tx(lot.pool) as conn:
        other = await seed.operator(conn, lot.services.vault, name="Uptown")
        people = {
            "support": Principal(lot.operator_id, Role.SUPPORT, "desk"),
            "settlement": Principal(lot.operator_id, Role.SETTLEMENT, "books"),
            "stranger": Principal(other, Role.ADMIN, "boss"),
        }
        tokens = {
            name: await operator_service.issue_token(conn, who, now=lot.clock.now()) for name, who in people.items()
        }
    return Desk(lot, tokens)


async def test_an_assigned_ticket_becomes_a_scan_of_the_card_and_is_charged(lot: Lot, desk: Desk) -> None:
    driver = await lot.driver()
    card = to_text("card", driver.card_id)
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await sees(lot, lot.exit, 60, "T-000123", medium="ticket")
    await work(lot)
    [held] = await desk.listed()
    assert (held["medium"], held["seen"], held["reason"], held["direction"]) == ("ticket", "T…3", "no_card", "exit")
    path = f"/sightings/{held['sighting_id']}/assign"
    assert (await desk.call("POST", path, "settlement", card_id=card)).status_code == 403
    assert (await desk.call("POST", path, "stranger", card_id=card)).status_code == 404
    for _ in range(2):
        answer = await desk.call("POST", path, card_id=card)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["card_id"], answer.json()["reason"]) == (
            "matched",
            card,
            "assigned",
        )
    await work(lot)
    assert await charges(lot) == [(driver.card_id, 180)]
    assert [action for action, _ in await desk.audit()].count("sighting_assigned") == 1
    other = to_text("card", (await lot.driver()).card_id)
    refusal = await desk.call("POST", path, card_id=other)
    assert (refusal.status_code, refusal.json()["code"]) == (409, "sighting_decided")


async def test_a_passage_is_given_only_to_a_card_in_use_of_the_operator(lot: Lot, desk: Desk) -> None:
    driver = await lot.driver()
    await sees(lot, lot.exit, 60, "T-000123", medium="ticket")
    await work(lot)
    [held] = await desk.listed()
    path = f"/sightings/{held['sighting_id']}/assign"
    async with tx(lot.pool) as conn:
        other = await conn.fetchval("select operator_id from operator where operator_id <> $1", lot.operator_id)
        _, foreign = await seed.driver_with_card(conn, lot.services.vault, operator_id=other)
        _, issued = await seed.driver_with_card(conn, lot.services.vault, operator_id=lot.operator_id, state="issued")
    for card_id, status in ((foreign, 404), (issued, 409), (driver.card_id + 1, 404)):
        assert (await desk.call("POST", path, card_id=to_text("card", card_id))).status_code == status
    assert await outcomes(lot) == [("held", "no_card", None)]


async def test_a_dismissed_passage_is_nobodys_and_stays_so(lot: Lot, desk: Desk) -> None:
    driver = await lot.driver()
    await sees(lot, lot.entry, 0, None, medium="lift", by="wang.li")
    await work(lot)
    [held] = await desk.listed("?medium=lift&direction=entry&reason=no_card")
    assert (held["seen"], held["lifted_by"]) == (None, "wang.li")
    path = f"/sightings/{held['sighting_id']}"
    for _ in range(2):
        answer = await desk.call("POST", f"{path}/dismiss", reason="a delivery van")
        assert (answer.status_code, answer.json()["state"], answer.json()["decided_by"]) == (200, "dismissed", "desk")
    late = await desk.call("POST", f"{path}/assign", card_id=to_text("card", driver.card_id))
    assert (late.status_code, late.json()["code"]) == (409, "illegal_transition")
    assert await desk.listed() == []
    assert ("sighting_dismissed", f"{held['sighting_id']}: a delivery van") in await desk.audit()


async def test_plates_are_short_unless_the_role_may_see_them_and_every_look_is_on_record(lot: Lot, desk: Desk) -> None:
    await sees(lot, lot.exit, 10, "沪A 12345")
    await work(lot)
    assert [one["seen"] for one in await desk.listed(who="settlement")] == ["沪…5"]
    assert (await desk.call("GET", "/sightings?plates=full", "settlement")).status_code == 403
    [shown] = await desk.listed("?plates=full")
    assert shown["seen"] == "沪A 12345"
    detail = await desk.call("GET", f"/sightings/{shown['sighting_id']}")
    assert (detail.json()["seen"], detail.json()["candidates"]) == ("沪…5", [])
    assert (await desk.call("GET", f"/sightings/{shown['sighting_id']}", "stranger")).status_code == 404
    assert await desk.listed(who="stranger") == []
    looks = [(action, subject) for action, subject in await desk.audit() if action.startswith("sighting")]
    assert sorted(looks) == sorted(
        [
            ("sightings_listed", "1 held, short"),
            ("sightings_listed", "1 held, full"),
            ("sighting_seen", f"{shown['sighting_id']}, short"),
            ("sightings_listed", "0 held, short"),
        ]
    )


async def test_the_detail_names_the_cards_that_it_may_have_been(lot: Lot, desk: Desk) -> None:
    inside, also, outside = [await driver_with_plate(lot) for _ in range(3)]
    await lot.upload(lot.goes_in(inside, 0), lot.goes_in(also, 5), minute=6)
    await sees(lot, lot.exit, 60)
    await later(lot)
    [held] = await desk.listed("?reason=ambiguous_plate")
    detail = (await desk.call("GET", f"/sightings/{held['sighting_id']}")).json()
    found = {one["card_id"]: one["inside_since"] is not None for one in detail["candidates"]}
    assert found == {
        to_text("card", inside.card_id): True,
        to_text("card", also.card_id): True,
        to_text("card", outside.card_id): False,
    }
    path = f"/sightings/{held['sighting_id']}/assign"
    assert (await desk.call("POST", path, card_id=to_text("card", also.card_id))).status_code == 200
    await work(lot)
    assert await charges(lot) == [(also.card_id, 165)]


async def test_pages_go_back_in_time_without_gap(lot: Lot, desk: Desk) -> None:
    for minute in (1, 2, 3):
        await sees(lot, lot.exit, minute, f"T-{minute}", medium="ticket")
    await work(lot)
    first = (await desk.call("GET", "/sightings?limit=2")).json()
    rest = (await desk.call("GET", f"/sightings?limit=2&before={first['next']}")).json()
    assert [one["seen"] for one in [*first["sightings"], *rest["sightings"]]] == ["T…3", "T…2", "T…1"]
    assert rest["next"] is None
    until = lot.at(2).isoformat().replace("+", "%2B")
    assert [one["seen"] for one in await desk.listed(f"?to={until}")] == ["T…1"]
    assert (await desk.call("GET", "/sightings?before=x")).json()["code"] == "malformed_page"


async def test_raised_barriers_are_counted_by_day_and_by_who_raised_them(lot: Lot, desk: Desk) -> None:
    events = [
        ("lift", '{"manual": true, "lifted_by": "wang.li"}', "accepted"),
        ("lift", '{"manual": true, "lifted_by": "wang.li"}', "accepted"),
        ("code", '{"manual": true, "lifted_by": "zhao"}', "denied"),
        ("code", '{"manual": true}', "denied"),
        ("code", "{}", "denied"),
        ("plate", "{}", "not_on_the_list"),
        ("plate", '{"manual": true, "lifted_by": "zhao"}', "not_on_the_list"),
    ]
    async with tx(lot.pool) as conn:
        for number, (medium, content, verdict) in enumerate(events, start=1):
            await conn.execute(
                "insert into gate_event (bucket, gate_id, epoch, seq, content_sha256, scanned_at, direction, medium,"
                " content, gate_verdict, verdict, received_at)"
                f" values ($1, $2, 1, $3, $4, $5, 'exit', $6, '{content}', $7, 'rejected:x', $5)",
                bucket_of(lot.exit.gate_id),
                lot.exit.gate_id,
                number,
                bytes(32),
                lot.at(number),
                medium,
                verdict,
            )
    answer = await desk.call("GET", "/lifts?from=2017-10-20&to=2017-10-21", "settlement")
    assert answer.json() == [
        {
            "day": "2017-10-20",
            "gate_id": lot.exit.text,
            "lot_id": to_text("lot", lot.lot_id),
            "lifts": 5,
            "lifts_nothing_shown": 2,
            "plates_refused": 1,
            "lifted_by": {"wang.li": 2, "zhao": 2},
        }
    ]
    assert (await desk.call("GET", "/lifts?from=2017-10-21&to=2017-10-20")).json()["code"] == "malformed_span"
    assert (await desk.call("GET", "/lifts?from=2017-10-20&to=2017-10-21", "stranger")).json() == []


async def test_a_noted_lift_may_still_be_given_to_a_card(lot: Lot, desk: Desk) -> None:
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await sees(lot, lot.exit, 60, None, medium="lift", by="wang.li")
    await later(lot)
    assert await desk.listed() == []
    [noted] = await desk.listed("?state=noted")
    answer = await desk.call(
        "POST", f"/sightings/{noted['sighting_id']}/assign", card_id=to_text("card", driver.card_id)
    )
    assert answer.json()["state"] == "matched"
    await work(lot)
    assert await charges(lot) == [(driver.card_id, 180)]
