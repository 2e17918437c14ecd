"""Bundles are signed, versioned and fresh; heartbeats say how far a gate's uploads go."""

import json
from datetime import timedelta

from parkflow import core
from parkflow.card import service as card_service
from parkflow.card.state import FreezeReason
from parkflow.db.tx import tx
from parkflow.gate import bundle as gate_bundle
from parkflow.gate import service as gate_service
from parkflow.gate.state import GateEvent
from parkflow.kit.encoding import base64url, bytes_from_base64url
from parkflow.kit.ids import bucket_of
from parkflow.operator import service as operator_service
from tests.db.gate.conftest import Street
from tests.street import beat, send, signed, upload


async def fetch(street: Street, etag: str = "") -> tuple[int, str, dict[str, object]]:
    """Status, ETag and verified content of the bundle."""
    message = signed(street.entry, "GET", "/bundle", b"", street.now)
    answer = await send(street.client, message, b"", **({"If-None-Match": etag} if etag else {}))
    if answer.status_code != 200:
        return answer.status_code, answer.headers.get("etag", ""), {}
    payload = bytes_from_base64url("payload", answer.json()["payload"])
    signature = bytes_from_base64url("signature", answer.json()["signature"])
    async with street.pool.acquire() as conn:
        root = (await operator_service.get(conn, street.operator_id)).root_public_key
    assert core.verify_message(root, "bundle/1", payload, signature)
    content = json.loads(payload)
    assert content["version"] == answer.json()["version"]
    return 200, answer.headers["etag"], content


async def refresh(street: Street) -> int:
    async with tx(street.pool) as conn:
        return await gate_bundle.refresh_all(conn, street.services.vault, now=street.now)


async def test_a_bundle_holds_keys_lots_and_denied_cards_and_changes_only_with_them(street: Street) -> None:
    driver = await street.driver()
    assert await refresh(street) == 1
    assert await refresh(street) == 0
    _, etag, before = await fetch(street)
    assert (before["version"], before["denied"]) == (1, [])
    assert [len(before["keys"]), len(before["lots"])] == [1, 1]  # type: ignore[arg-type]
    assert (await fetch(street, etag))[0] == 304
    async with tx(street.pool) as conn:
        await card_service.freeze(
            conn,
            bucket=bucket_of(driver.card_id),
            card_ids=[driver.card_id],
            reason=FreezeReason.LOST,
            now=street.now,
        )
    assert await refresh(street) == 1
    _, _, after = await fetch(street, etag)
    subject = core.decode_code(driver.code(street.now)).credential.subject
    assert (after["version"], after["denied"]) == (2, [base64url(subject)])


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
