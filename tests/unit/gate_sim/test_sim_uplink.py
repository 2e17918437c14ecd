"""A gate's uploads: signed, repeated until acknowledged, silent while the line is down."""

import json
from pathlib import Path
from typing import Any

import pytest

from gate_sim.http import Client
from gate_sim.uplink import Habits, UplinkRefused
from parkflow import core
from tests.unit.gate_sim.service import Service, verified
from tests.unit.gate_sim.signed import NOW_S, bundle_of, make_gate, not_to_disk, phone_with_credential
from tests.unit.gate_sim.stand_in import Request, standing_in

NOW_MS = NOW_S * 1000


async def test_everything_is_sent_once_and_forgotten(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    phone, _ = phone_with_credential()
    for minute in range(3):
        gate.show(phone.code_at(NOW_S + 60 * minute), at_ms=NOW_MS + 60_000 * minute)
    async with service.client() as client:
        results = await gate.uplink.upload(client, at_ms=NOW_MS + 180_000)
    assert results == {"accepted": 3}
    assert not gate.journal.unacknowledged(10)


async def test_a_lost_answer_makes_the_gate_send_the_batch_twice(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    phone, _ = phone_with_credential()
    gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    gate.link.answers_lost_at_ms.append(NOW_MS)
    async with service.client() as client:
        assert await gate.uplink.upload(client, at_ms=NOW_MS + 60_000) == {"accepted": 1, "duplicate": 1}
    first, second = (json.loads(request.body)["scans"] for request in service.requests)
    assert first == second


async def test_a_gate_without_a_line_keeps_its_journal(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    phone, _ = phone_with_credential()
    gate.link.offline.append((NOW_MS, NOW_MS + 7_200_000))
    gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    async with service.client() as client:
        assert not await gate.uplink.upload(client, at_ms=NOW_MS + 7_199_999)
        assert not service.requests
        assert await gate.uplink.upload(client, at_ms=NOW_MS + 7_200_000) == {"accepted": 1}


async def test_a_service_that_restarts_gets_the_batch_again(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service(dropped=1)
    phone, _ = phone_with_credential()
    gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    async with service.client() as client:
        assert await gate.uplink.upload(client, at_ms=NOW_MS) == {"accepted": 1}
    nonces = {request.headers["signature-input"] for request in service.requests}
    assert len(nonces) == 2


async def test_the_signature_covers_the_request_and_its_content(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    phone, _ = phone_with_credential()
    gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    async with service.client() as client:
        await gate.uplink.upload(client, at_ms=NOW_MS + 60_000)
    (request,) = service.requests
    result = verified(request)
    assert set(result.covered_components) == {
        '"@method"', '"@authority"', '"@path"', '"@query"', '"content-digest"', '"@signature-params"'
    }  # fmt: skip
    assert result.parameters["created"] == NOW_S + 60
    assert result.parameters["keyid"] == gate.post.gate
    assert result.parameters["tag"] == "parkflow-gate"


async def test_a_refusal_of_the_service_is_said_with_its_code(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    gate.show("PF1:", at_ms=NOW_MS)

    def refuse(request: Request) -> tuple[int, Any]:
        return 403, {"code": "gate_quarantined", "detail": "call the operator"}

    async with standing_in(refuse) as url, Client(url) as client:
        with pytest.raises(UplinkRefused, match="gate_quarantined"):
            await gate.uplink.upload(client, at_ms=NOW_MS)
    assert gate.journal.unacknowledged(10)


async def test_a_line_that_breaks_between_bundle_and_filter_leaves_the_old_bundle(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    deny_filter = core.DenyFilter.build(bytes(16))
    minute_ms = 60_000

    def answer(request: Request) -> tuple[int, bytes]:
        if "/filters/" in request.url:
            return 200, bytes(deny_filter)
        gate.link.offline.append((NOW_MS, NOW_MS + minute_ms))
        return 200, bundle_of(2, deny_filter=deny_filter)

    async with standing_in(answer) as url, Client(url) as client:
        assert not await gate.uplink.refresh_bundle(client, at_ms=NOW_MS)
        assert gate.core.bundle_version == 1
        assert await gate.uplink.refresh_bundle(client, at_ms=NOW_MS + minute_ms)
    assert gate.core.bundle_version == 2


async def test_a_service_that_wants_to_be_left_alone_is_and_says_for_how_long(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path, habits=Habits(tries=1)), Service()
    gate.show("PF1:", at_ms=NOW_MS)
    for status, code, headers, wait_s in (
        (429, "gate_too_fast", {"Retry-After": "7"}, 7),
        (503, "ingest_busy", {"Retry-After": "2"}, 2),
        (503, "database_unavailable", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ):
        service.instead = [(status, {"code": code, "detail": "later"}, headers)]
        async with service.client() as client:
            assert not await gate.uplink.upload(client, at_ms=NOW_MS)
        assert gate.uplink.upload_failure is not None
        assert gate.uplink.upload_failure.retry_after_s == wait_s
        assert code in str(gate.uplink.upload_failure)
    assert gate.journal.waiting == 1


async def test_days_without_a_line_become_several_batches_in_order_that_fit(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    not_to_disk(gate.journal)
    for number in range(2_100):
        gate.journal.append({"at_ms": NOW_MS + number, "code": "漢" * 200})
    gate.uplink.clock.add(sent_ms=NOW_MS, received_ms=NOW_MS, server_ms=NOW_MS)
    async with service.client() as client:
        assert await gate.uplink.upload(client, at_ms=NOW_MS) == {"accepted": 2_100}
    bodies = [request.body for request in service.requests]
    assert len(bodies) == 2 + (sum(map(len, bodies)) >> 20) - 1
    assert all(len(body) <= 1 << 20 for body in bodies)
    assert [batch["first_seq"] for batch in service.batches()] == sorted(
        batch["first_seq"] for batch in service.batches()
    )
    assert max(len(batch["scans"]) for batch in service.batches()) <= 2_000
    assert not service.quarantined_for


async def test_a_long_upload_signs_each_batch_by_the_clock_of_its_moment(tmp_path: Path) -> None:
    gate_ms = NOW_MS
    gate, service = make_gate(tmp_path, habits=Habits(elapsed_ms=lambda: gate_ms)), Service()
    not_to_disk(gate.journal)
    for number in range(2_001):
        gate.journal.append({"at_ms": number})

    def answer(request: Request) -> Any:
        nonlocal gate_ms
        gate_ms += 90_000
        return service(request)

    async with standing_in(answer) as url, Client(url) as client:
        await gate.uplink.upload(client, at_ms=gate_ms)
    created = [verified(request).parameters["created"] for request in service.requests]
    # After the first answer, 90 s later, the service's clock is known to half of that.
    assert created == [NOW_S, NOW_S + 90 - 45]
    assert service.batches()[1]["clock"]["gate_at"] == "2017-10-20T12:01:30.000Z"


async def test_a_batch_without_scans_is_a_heartbeat_that_tells_how_far_the_journal_goes(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service(now_ms=NOW_MS + 1_234)
    gate.show("PF1:", at_ms=NOW_MS)
    async with service.client() as client:
        assert await gate.uplink.heartbeat(client, at_ms=NOW_MS)
        assert json.loads(service.requests[0].body)["last_seq"] == 1
        assert (gate.uplink.clock.offset_ms, gate.uplink.clock.doubt_ms) == (1_234, 0)
        await gate.uplink.upload(client, at_ms=NOW_MS)
    assert service.batches()[0]["clock"] == {
        "gate_at": "2017-10-20T12:00:00.000Z", "last_sync_at": "2017-10-20T12:00:00.000Z", "offset_ms": 1_234
    }  # fmt: skip


async def test_a_restarted_gate_sends_the_old_epoch_before_it_beats_for_the_new_one(tmp_path: Path) -> None:
    first, service = make_gate(tmp_path), Service()
    first.show("PF1:", at_ms=NOW_MS)
    first.journal.close()
    again = make_gate(tmp_path, bundle=bundle_of(2))
    again.show("PF1:", at_ms=NOW_MS + 1)
    async with service.client() as client:
        assert not await again.uplink.heartbeat(client, at_ms=NOW_MS)
        assert not service.requests
        assert await again.uplink.upload(client, at_ms=NOW_MS) == {"accepted": 2}
        assert await again.uplink.heartbeat(client, at_ms=NOW_MS)
    assert json.loads(service.requests[-1].body)["epoch"] == again.journal.epoch
    assert list(service.contents) == [(first.journal.epoch, 1), (again.journal.epoch, 1)]


async def test_a_service_that_knows_more_than_it_was_told_begins_a_new_epoch(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    epoch = gate.journal.epoch
    gate.show("PF1:", at_ms=NOW_MS)
    # As if this gate's disk and memory had been put back to what they were before two more events.
    service.last_seqs[epoch] = 2
    async with service.client() as client:
        await gate.uplink.heartbeat(client, at_ms=NOW_MS)
        assert gate.journal.epoch > epoch
        assert await gate.uplink.upload(client, at_ms=NOW_MS) == {"accepted": 1}
    assert gate.journal.waiting == 0
    assert {event for event, _ in service.contents} == {epoch}


async def test_a_gate_whose_clock_is_wrong_learns_the_time_from_a_refusal(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    gate.show("PF1:", at_ms=NOW_MS)
    for now_ms in (NOW_MS - 3_600_000, NOW_MS + 86_400_000):
        service.instead = [(401, {"code": "gate_signature_refused"}, {"Date": "Fri, 20 Oct 2017 12:00:00 GMT"})]
        async with service.client() as client:
            assert await gate.uplink.heartbeat(client, at_ms=now_ms)
        assert verified(service.requests[-1]).parameters["created"] == NOW_S
        assert gate.uplink.clock.offset_ms == NOW_MS - now_ms


async def test_a_refused_batch_stays_whatever_the_refusal(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service()
    gate.show("PF1:", at_ms=NOW_MS)
    for status in (400, 401, 403, 404, 413, 415, 422, 500):
        service.instead = [(status, {"code": "no", "detail": "never"}, {})]
        async with service.client() as client:
            with pytest.raises(UplinkRefused, match=f"{status} no: never"):
                await gate.uplink.upload(client, at_ms=NOW_MS)
    assert gate.journal.waiting == 1


async def test_a_gate_that_waits_for_the_next_bundle_says_so(tmp_path: Path) -> None:
    gate, service = make_gate(tmp_path), Service(bundle=bundle_of(2))
    async with service.client() as client:
        assert await gate.uplink.refresh_bundle(client, at_ms=NOW_MS, wait_seconds=55)
    assert service.requests[0].headers["prefer"] == "wait=55"
    assert gate.core.bundle_version == 2
