"""A person decides what no gate saw: on record once, guarded by state, and second to what a gate saw after all."""

from datetime import datetime
from typing import Any

import httpx

from parkflow.db.tx import tx
from parkflow.kit.ids import to_text
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from tests.day_world import Driver
from tests.edge import client_of
from tests.repair_town import EPOCH, RepairTown


class Desk:
    """A member of an operator's staff at the API."""

    def __init__(self, town: RepairTown, token: str) -> None:
        self.town, self.token = town, token

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        async with client_of(self.town.world.services) as client:
            headers = {"Authorization": f"Bearer {self.token}"}
            return await client.request(method, f"/v1/operator{path}", headers=headers, json=body)

    async def of_stay(self, car: Driver, verdict: str, at: datetime | None = None) -> tuple[int, Any]:
        stay = await stay_text(self.town, car)
        answer = await self.call("POST", f"/stays/{stay}/decision", _body(verdict, at))
        return answer.status_code, answer.json().get("code") or answer.json()["number"]

    async def of_scan(self, car: Driver, seq: int, verdict: str, at: datetime | None = None) -> tuple[int, Any]:
        gate, card = to_text("gate", self.town.world.gate_id), to_text("card", car.card_id)
        path = f"/cards/{card}/scans/{gate}/{EPOCH}/{seq}/decision"
        answer = await self.call("POST", path, _body(verdict, at))
        return answer.status_code, answer.json().get("code") or answer.json()["number"]


def _body(verdict: str, at: datetime | None) -> dict[str, Any]:
    return {"verdict": verdict, **({"at": at.isoformat()} if at else {})}


async def stay_text(town: RepairTown, car: Driver) -> str:
    async with town.world.pool.acquire() as conn:
        found = await conn.fetchval(
            "select stay_id from stay where card_id = $1 order by entry_at limit 1", car.card_id
        )
    return to_text("stay", found)


async def desk(town: RepairTown, role: Role = Role.SUPPORT) -> Desk:
    async with tx(town.world.pool) as conn:
        who = Principal(town.world.operator_id, role, f"desk-{role}")
        return Desk(town, await operator_service.issue_token(conn, who, now=town.world.now))


async def wait_in_vain(town: RepairTown) -> None:
    town.world.advance(hours=50)
    await town.world.gate_told(town.world.now)
    await town.give_up()


async def test_what_waits_for_a_person_is_listed_decided_and_second_to_a_gates_word(town: RepairTown) -> None:
    await town.policy(missing_exit="operator", missing_entry="operator")
    staff, inside, outside = await desk(town), await town.driver("in"), await town.driver("out")
    await town.seen(inside, "entry", 0)
    leaving = await town.seen(outside, "exit", 60)
    await town.apply()
    await wait_in_vain(town)
    waiting = (await staff.call("GET", "/waiting")).json()
    assert [(one["state"], one["reason"]) for one in waiting["stays"]] == [("held", "missing_exit")]
    assert [(one["direction"], one["reason"]) for one in waiting["scans"]] == [("exit", "awaiting_operator")]
    assert await staff.of_stay(inside, "exit_at", town.at(30)) == (202, 1)
    assert await staff.of_stay(inside, "exit_at", town.at(30)) == (202, 1), "the same again changes nothing"
    assert await staff.of_scan(outside, leaving, "entry_at", town.at(50)) == (202, 1)
    await town.work()
    assert await town.stays(inside) == [("priced", 0, 30, 1_800)]
    assert await town.stays(outside) == [("priced", 50, 60, 600)]
    assert [await town.marks(car) for car in (inside, outside)] == [
        [["exit_by_operator", "missing_exit"]],
        [["entry_by_operator"]],
    ]
    assert [await town.spent(car) for car in (inside, outside)] == [1_800, 600]
    await town.seen(inside, "exit", 20)
    await town.seen(outside, "entry", 40)
    await town.work()
    assert [await town.spent(car) for car in (inside, outside)] == [1_200, 1_200]
    assert await staff.of_stay(inside, "exit_at", town.at(25)) == (409, "not_for_a_person")
    told = (await staff.call("GET", f"/stays/{await stay_text(town, inside)}/repairs")).json()
    assert [(one["reason"], one["from_minor"], one["to_minor"]) for one in told["repairs"]] == [
        ("exit_arrived", 1_800, 1_200)
    ]
    assert [(one["verdict"], one["token_name"]) for one in told["decisions"]] == [("exit_at", "desk-support")]
    assert all(one["applied_at"] for one in told["decisions"])


async def test_a_waived_stay_costs_nothing_whether_it_was_paid_or_not(town: RepairTown) -> None:
    staff, paid, unpaid = await desk(town), await town.driver("paid"), await town.driver("unpaid")
    for car in (paid, unpaid):
        await town.seen(car, "entry", 0)
        await town.seen(car, "exit", 60)
        await town.apply()
        await town.charge()
        if car is paid:
            await town.pay()
        assert await staff.of_stay(car, "waive") == (202, 1)
    await town.work()
    assert [(await town.stays(car))[0][0] for car in (paid, unpaid)] == ["waived", "waived"]
    assert await town.moves(paid) == [(3_600, 0, 0, 0, 3_600)]
    assert await town.moves(unpaid) == [(3_600, 0, 3_600, 0, 0)]
    assert [await town.spent(car) for car in (paid, unpaid)] == [0, 0]
    await town.seen(paid, "exit", 20)
    await town.work()
    assert [(stay[0], stay[2]) for stay in await town.stays(paid)] == [("waived", 20)]
    assert await town.spent(paid) == 0


async def test_a_person_gives_up_a_stay_or_lets_a_scan_count_for_nothing(town: RepairTown) -> None:
    staff, car, other = await desk(town), await town.driver("a"), await town.driver("b")
    await town.seen(car, "entry", 0)
    await town.apply()
    assert await staff.of_stay(car, "abandon") == (202, 1)
    lonely = await town.seen(other, "exit", 10)
    await town.apply()
    assert await staff.of_scan(other, lonely, "reject") == (202, 1)
    await town.apply()
    assert await town.stays(car) == [("abandoned", 0, None, None)]
    assert await town.world.value("select reason from scan where state = 'rejected'") == "rejected_by_operator"
    await town.seen(other, "entry", 5)
    await town.apply()
    assert await town.stays(other) == [("open", 5, None, None)], "what a person rejected stays out"


async def test_decisions_are_for_those_who_may_and_on_what_is_theirs(town: RepairTown) -> None:
    car, clerk = await town.driver("a"), await desk(town, Role.SETTLEMENT)
    await town.seen(car, "entry", 0)
    await town.seen(car, "exit", 10)
    await town.apply()
    assert await clerk.of_stay(car, "waive") == (403, "role_not_allowed")
    staff = await desk(town)
    assert await staff.of_stay(car, "exit_at", town.at(-5)) == (422, "decision_not_possible")
    assert await staff.of_stay(car, "abandon") == (409, "not_for_a_person")
    assert await staff.of_scan(car, 99, "reject") == (404, "not_found")
    assert await staff.of_scan(car, 1, "reject") == (409, "not_for_a_person")
    assert (await staff.call("GET", f"/stays/{to_text('stay', 5)}/repairs")).status_code == 404
    audited = await town.world.value("select count(*) from operator_audit where action like 'stay_%'")
    assert audited == 0, "what was refused was not done"
