"""The fleet: one seed, one traffic; bad lines that lose nothing; books that notice; a cheat who gets nothing."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from gate_sim.driver import Driver, Offices, Person
from gate_sim.fleet_cheat import Cheat
from gate_sim.fleet_log import FleetLog, StayCounts, judge_fleet
from gate_sim.fleet_plan import FleetWishes, plan_fleet
from gate_sim.fleet_play import FleetGate, FleetRun
from gate_sim.gate import Post
from gate_sim.http import Client
from gate_sim.journal import Event
from gate_sim.lossy_line import LossyLine
from gate_sim.seed import Seed
from gate_sim.uplink import Habits
from parkflow import core
from tests.unit.gate_sim.service import Service
from tests.unit.gate_sim.signed import LANE, LOT, NOW_S, ROOT_SECRET, make_gate, not_to_disk, phone_with_credential
from tests.unit.gate_sim.stand_in import standing_in

WISHES = FleetWishes(gates=12, phones=30, minutes=15, seed=Seed(1))


def test_the_same_seed_gives_the_same_traffic_and_another_one_another() -> None:
    plan = plan_fleet(WISHES, lots=3)
    assert plan == plan_fleet(WISHES, lots=3)
    assert plan.sha256 == plan_fleet(WISHES, lots=3).sha256
    assert plan.sha256 != plan_fleet(FleetWishes(12, 30, 15, Seed(2)), lots=3).sha256


@pytest.mark.parametrize("seed", range(5))
def test_every_stay_is_an_entry_and_an_exit_of_one_phone_at_one_lot(seed: int) -> None:
    plan = plan_fleet(FleetWishes(14, 40, 30, Seed(seed)), lots=4)
    for stay in {visit.stay for visit in plan.visits}:
        entry, leave = (visit for visit in plan.visits if visit.stay == stay)
        assert (entry.direction, leave.direction) == ("entry", "exit")
        assert entry.phone == leave.phone
        assert plan.gates[entry.gate].lot == plan.gates[leave.gate].lot
        assert leave.at_s - entry.at_s >= 120
        assert leave.at_s < 1_800


async def test_a_line_that_cuts_requests_and_answers_loses_and_doubles_nothing(tmp_path: Path) -> None:
    service, dice = Service(), random.Random(3)
    gate = make_gate(tmp_path, habits=Habits(tries=200, pause_seconds=0))
    not_to_disk(gate.journal)
    async with standing_in(service) as target:
        line = LossyLine(target, dice, 30)
        async with line.relaying() as url, Client(url) as client:
            for number in range(30):
                gate.see_plate(f"B-PK {number}", at_ms=NOW_S * 1000 + number)
                await gate.uplink.upload(client, at_ms=NOW_S * 1000)
    assert gate.journal.waiting == 0
    assert len(service.contents) == 30
    assert service.quarantined_for == []
    assert min(line.cuts["request"], line.cuts["answer"]) > 3


async def test_a_fleet_plays_its_plan_and_the_books_agree(tmp_path: Path) -> None:
    plan = plan_fleet(FleetWishes(4, 3, 8, Seed(5)), lots=1)
    services = [Service(now_ms=NOW_S * 1000) for _ in plan.gates]
    log = FleetLog(tmp_path / "events.jsonl")
    async with (
        _at(services[0]) as first,
        _at(services[1]) as second,
        _at(services[2]) as third,
        _at(services[3]) as last,
    ):
        gates = []
        for one, client in zip(plan.gates, (first, second, third, last), strict=True):
            folder = tmp_path / str(one.number)
            folder.mkdir()
            gate = make_gate(folder, one.direction, habits=_noting(log, f"gate_{one.number}"))
            gate.post = replace(gate.post, gate=f"gate_{one.number}")
            not_to_disk(gate.journal)
            gates.append(FleetGate(one, gate, client, LossyLine(client.base_url, random.Random(1), 0)))
        run = FleetRun(plan, gates, [_driver(name) for name in ("ann", "bob", "cem")], log, Seed(5), NOW_S * 1000)
        await run.play(_at_once, 8 * 60)
    stays = {name: StayCounts(count, count) for name, count in run.ended.items()}
    verdict = judge_fleet(log, {(gate, epoch): 99 for gate, epoch, _ in log.events}, stays)
    assert verdict.is_good, (verdict, run.refusals)
    assert sum(run.ended.values()) >= 3
    assert [one.gate.journal.waiting for one in gates] == [0] * 4
    assert sum(len(service.contents) for service in services) == sum(one.gate.journal.last_seq for one in gates)
    assert [service.quarantined_for for service in services] == [[]] * 4
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert len(lines) == sum(one.gate.journal.last_seq for one in gates)


def test_the_books_notice_what_is_lost_and_what_is_doubled(tmp_path: Path) -> None:
    log = FleetLog(tmp_path / "events.jsonl")
    for seq, code in enumerate(("a", "b", "b"), start=1):
        log.note_event("g", Event(1, seq, json.dumps({"code": code, "verdict": "accepted"}), b""))
    log.note_results("g", 1, {1: "accepted", 2: "accepted"})
    assert judge_fleet(log, {("g", 1): 3}, {"ann": StayCounts(2, 2)}).is_good
    assert judge_fleet(log, {("g", 1): 2}, {}).events_lost == 1
    assert judge_fleet(log, {}, {}).events_lost == 3
    log.note_results("g", 1, {1: "duplicate", 3: "accepted"})
    assert judge_fleet(log, {("g", 1): 3}, {}).events_doubled == 1
    log.note_results("g", 1, {1: "accepted"})
    assert judge_fleet(log, {("g", 1): 3}, {}).events_doubled == 2
    verdict = judge_fleet(log, {("g", 1): 3}, {"ann": StayCounts(2, 1), "bob": StayCounts(0, 2)})
    assert (verdict.stays_lost, verdict.stays_doubled) == (1, 2)
    log.close()


async def test_a_cheat_tries_what_its_key_allows(tmp_path: Path) -> None:
    service, now_s = Service(), NOW_S + 900
    phone, _ = phone_with_credential()
    post = Post("gate_0000000000001", LOT, LANE, "entry", b"g" * 32, core.public_key(ROOT_SECRET))
    async with service.client() as client:
        cheat = Cheat(post, Seed(1), client, now_s, {})
        await cheat.try_everything([phone], [(phone.code_at(now_s), now_s * 1000)], at_ms=now_s * 1000, victim="gate_2")
    codes = {trick: batch["scans"][0]["code"] for trick, batch in zip(cheat.results, service.batches(), strict=False)}
    gate = make_gate(tmp_path)
    judged = {trick: gate.core.decide(code, "entry", now_s=now_s).name for trick, code in codes.items()}
    assert judged["forged"] == "bad_code_signature"
    assert judged["foreign"] == "unknown_kid"
    assert judged["stale"] == "code_stale"
    assert judged["replayed"] == "accepted"
    # The stand-in judges no codes; it sees the three tricks that are about names and chains.
    assert service.quarantined_for == ["conflict", "chain_broken"]
    assert cheat.results["changed"] == Counter(conflict=1)


def _at(service: Service):  # type: ignore[no-untyped-def]
    return service.client()


async def _at_once(second: int) -> None:
    """No time passes for a plan that is only played."""


def _noting(log: FleetLog, gate: str) -> Habits:
    return Habits(tries=3, pause_seconds=0, witness=lambda epoch, results: log.note_results(gate, epoch, results))


def _driver(name: str) -> Driver:
    phone, _ = phone_with_credential(name)
    nowhere = Client("http://127.0.0.1:9")
    return Driver(Person(name, "+1", None, name), phone, Offices(nowhere, nowhere, "sim", "op_1"))
