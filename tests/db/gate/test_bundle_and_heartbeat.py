"""Bundles are signed, versioned and fresh; heartbeats say how far a gate's uploads go."""

import asyncio
import json
from datetime import timedelta

from parkflow import core
from parkflow.card import service as card_service
from parkflow.card.state import FreezeReason
from parkflow.db.tx import tx
from parkflow.gate import bundle as gate_bundle
from parkflow.gate import service as gate_service
from parkflow.gate.state import GateEvent
from parkflow.gate.watch import BundleWatch
from parkflow.kit.encoding import base64url
from parkflow.kit.ids import bucket_of, from_text, to_text
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from tests.db.gate.conftest import Street
from tests.street import Driver, beat, send, signed, upload


async def fetch(street: Street, etag: str = "", **headers: str) -> tuple[int, str, core.BundleContent | None]:
    """Status, ETag and verified content of the bundle."""
    message = signed(street.entry, "GET", "/bundle", b"", street.now)
    answer = await send(street.client, message, b"", **({"If-None-Match": etag} if etag else {}), **headers)
    if answer.status_code != 200:
        return answer.status_code, answer.headers.get("etag", ""), None
    async with street.pool.acquire() as conn:
        root = (await operator_service.get(conn, street.operator_id)).root_public_key
    content = core.open_bundle(root, answer.content)
    assert answer.headers["etag"] == f'"{content["version"]}"'
    return 200, answer.headers["etag"], content


async def refresh(street: Street) -> int:
    async with tx(street.pool) as conn:
        return await gate_bundle.refresh_all(conn, street.services.vault, now=street.now)


async def freeze(street: Street, driver: Driver) -> bytes:
    """Freeze the driver's card; the subject of its credential."""
    async with tx(street.pool) as conn:
        await card_service.freeze(
            conn,
            bucket=bucket_of(driver.card_id),
            card_ids=[driver.card_id],
            reason=FreezeReason.LOST,
            now=street.now,
        )
    return core.decode_code(driver.code(street.now)).credential.subject


async def test_a_bundle_holds_keys_lots_and_denied_cards_and_changes_only_with_them(street: Street) -> None:
    driver = await street.driver()
    assert await refresh(street) == 1
    assert await refresh(street) == 0
    _, etag, before = await fetch(street)
    assert before is not None
    assert (before["version"], before["denied"], before["filter"]) == (1, b"", None)
    assert [len(before["keys"]), len(before["lots"])] == [1, 1]
    [lot] = before["lots"]
    lanes = {(lane["lane_id"], lane["direction"]) for lane in lot["lanes"]}
    assert lanes == {(street.entry.lane_id, "entry"), (street.exit.lane_id, "exit")}
    assert (lot["passback_s"], [rule["outcome"] for rule in lot["risk"]]) == (60, ["flag"])
    assert (await fetch(street, etag))[0] == 304
    subject = await freeze(street, driver)
    assert await refresh(street) == 1
    _, _, after = await fetch(street, etag)
    assert after is not None
    assert (after["version"], after["denied"]) == (2, subject)


async def test_a_gate_that_waits_gets_the_next_bundle_at_once(street: Street) -> None:
    driver = await street.driver()
    await refresh(street)
    _, etag, _ = await fetch(street)
    waiting = asyncio.create_task(fetch(street, etag, Prefer="wait=50"))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    subject = await freeze(street, driver)
    await refresh(street)
    async with asyncio.timeout(10):
        status, _, content = await waiting
    assert content is not None
    assert (status, content["denied"]) == (200, subject)


async def test_a_gate_that_waits_is_answered_when_its_time_is_over(street: Street) -> None:
    await refresh(street)
    _, etag, _ = await fetch(street)
    async with asyncio.timeout(10):
        assert (await fetch(street, etag, Prefer="respond-async, wait=1"))[0] == 304


async def test_a_bundle_that_changed_before_the_gate_asked_is_not_waited_for(street: Street) -> None:
    await refresh(street)
    async with asyncio.timeout(10):
        assert (await fetch(street, '"77"', Prefer="wait=50"))[0] == 200


async def test_a_new_gate_finds_its_lane_in_the_bundle(street: Street) -> None:
    await refresh(street)
    async with tx(street.pool) as conn:
        token = await operator_service.issue_token(
            conn, Principal(street.operator_id, Role.ADMIN, "builder"), now=street.now
        )
    headers = {"Authorization": f"Bearer {token}"}
    lot = to_text("lot", street.lot_id)
    lane = {"reference": "north", "direction": "both"}
    made = (await street.client.post(f"/v1/operator/lots/{lot}/lanes", json=lane, headers=headers)).json()
    gate = {"lane_id": made["lane_id"], "public_key": base64url(core.public_key(b"n" * 32))}
    assert (await street.client.post("/v1/operator/gates", json=gate, headers=headers)).status_code == 201
    _, _, content = await fetch(street)
    assert content is not None
    assert from_text("lane", made["lane_id"]) in [lane["lane_id"] for lane in content["lots"][0]["lanes"]]


async def test_a_bundle_is_renewed_long_before_it_ends(street: Street) -> None:
    await refresh(street)
    street.clock.advance(hours=23)
    assert await refresh(street) == 0
    street.clock.advance(hours=2)
    assert await refresh(street) == 1


async def test_the_first_gate_that_asks_gets_a_bundle(street: Street) -> None:
    assert (await fetch(street))[0] == 200


async def test_a_gate_is_complete_to_its_heartbeat_only_when_nothing_is_missing(street: Street) -> None:
    async def behind() -> list[int]:
        async with street.pool.acquire() as conn:
            return list(await gate_service.watermarks_before(conn, street.operator_id, street.now))

    both = sorted([street.entry.gate_id, street.exit.gate_id])
    assert await behind() == []
    street.clock.advance(minutes=1)
    assert await behind() == both
    await beat(street.client, street.exit, street.now)
    scan = street.entry.scan("x", street.now, verdict="bad_prefix")
    answer = await beat(street.client, street.entry, street.now)
    assert answer.json()["acked_seq"] == 0
    assert await behind() == [street.entry.gate_id]
    await upload(street.client, street.entry, street.now, scan)
    assert (await beat(street.client, street.entry, street.now)).json()["acked_seq"] == 1
    assert await behind() == []


async def test_a_gate_clock_that_is_ahead_promises_nothing(street: Street) -> None:
    gate_at = street.now + timedelta(hours=5)
    body = json.dumps(
        {
            "epoch": 1,
            "last_seq": 0,
            "gate_at": gate_at.isoformat(),
            "offset_ms": -18_000_000,
            "bundle_version": 0,
        }
    ).encode()
    await send(street.client, signed(street.entry, "POST", "/heartbeat", body, street.now), body)
    async with street.pool.acquire() as conn:
        assert await conn.fetchval("select max(complete_to) from gate_watermark") == street.now


async def test_a_lost_journal_stays_incomplete_until_the_gate_is_retired(street: Street) -> None:
    street.entry.scan("x", street.now)
    await beat(street.client, street.entry, street.now)
    street.entry.epoch, street.entry.last_seq = street.entry.epoch + 1, 0
    street.clock.advance(hours=1)
    for device in (street.entry, street.exit):
        await beat(street.client, device, street.now)
    async with tx(street.pool) as conn:
        assert await gate_service.watermarks_before(conn, street.operator_id, street.now) == [street.entry.gate_id]
        gate = await gate_service.get(conn, street.entry.gate_id)
        await gate_service.change_state(conn, gate, GateEvent.RETIRE, reason="burnt", actor="admin", now=street.now)
        assert await gate_service.watermarks_before(conn, street.operator_id, street.now) == []


async def test_several_that_build_the_next_bundle_at_once_make_one(street: Street) -> None:
    await refresh(street)
    await freeze(street, await street.driver())

    async def build() -> int:
        async with tx(street.pool) as conn:
            vault, operator_id = street.services.vault, street.operator_id
            return (await gate_bundle.refresh(conn, vault, operator_id=operator_id, now=street.now)).version

    assert await asyncio.gather(*(build() for _ in range(4))) == [2, 2, 2, 2]
    assert await street.count("bundle") == 2


async def test_gates_that_wait_outlast_a_database_that_fails_for_a_moment(street: Street) -> None:
    await refresh(street)
    watch = BundleWatch(street.pool)
    async with street.pool.acquire() as conn:
        await conn.execute("alter table bundle rename to bundle_away")
        waiting = asyncio.create_task(watch.wait_newer(operator_id=street.operator_id, version=1, seconds=30))
        await asyncio.sleep(0.3)
        await conn.execute("alter table bundle_away rename to bundle")
    await freeze(street, await street.driver())
    await refresh(street)
    async with asyncio.timeout(10):
        assert await waiting
    await watch.aclose()
