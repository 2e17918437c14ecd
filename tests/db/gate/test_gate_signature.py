"""Gates prove who they are: every covered part counts, nothing is taken twice, nothing stale, no other key."""

from datetime import timedelta

import httpx
import pytest

from parkflow.api.gate_auth import COVERED
from parkflow.db.tx import tx
from parkflow.gate import service as gate_service
from parkflow.gate.state import GateEvent
from tests.db.gate.conftest import Street
from tests.street import beat, send, signed


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["code"]) == (401, "gate_signature_refused")


def body_of(street: Street) -> bytes:
    return street.entry.batch(street.entry.scan("x", street.now, verdict="bad_prefix"), at=street.now)


async def test_a_request_is_taken_once(street: Street) -> None:
    body = body_of(street)
    message = signed(street.entry, "POST", "/scans", body, street.now)
    assert (await send(street.client, message, body)).status_code == 200
    assert refused(await send(street.client, message, body))


@pytest.mark.parametrize("dropped", COVERED)
async def test_every_part_must_be_covered(street: Street, dropped: str) -> None:
    body, covered = body_of(street), [part for part in COVERED if part != dropped]
    message = signed(street.entry, "POST", "/scans", body, street.now, covered=covered)
    assert refused(await send(street.client, message, body))


async def test_a_changed_body_method_query_path_or_authority_is_refused(street: Street) -> None:
    body = body_of(street)
    changed_body = signed(street.entry, "POST", "/scans", body, street.now)
    assert refused(await send(street.client, changed_body, body + b" "))
    changed_query = signed(street.entry, "POST", "/scans", body, street.now)
    changed_query.url += "?all=1"
    assert refused(await send(street.client, changed_query, body))
    changed_path = signed(street.entry, "POST", "/heartbeat", body, street.now)
    changed_path.url = changed_path.url.replace("/heartbeat", "/scans")
    assert refused(await send(street.client, changed_path, body))
    changed_method = signed(street.entry, "PUT", "/scans", body, street.now)
    changed_method.method = "POST"
    assert refused(await send(street.client, changed_method, body))
    changed_host = signed(street.entry, "POST", "/scans", body, street.now)
    assert refused(await send(street.client, changed_host, body, Host="elsewhere.test"))


async def test_a_signature_of_another_gate_of_another_time_or_tag_is_refused(street: Street) -> None:
    body = body_of(street)
    for message in (
        signed(street.entry, "POST", "/scans", body, street.now, secret=street.exit.secret),
        signed(street.entry, "POST", "/scans", body, street.now, key_id=street.exit.text),
        signed(street.entry, "POST", "/scans", body, street.now - timedelta(seconds=61)),
        signed(street.entry, "POST", "/scans", body, street.now + timedelta(seconds=61)),
        signed(street.entry, "POST", "/scans", body, street.now, tag="other"),
        signed(street.entry, "POST", "/scans", body, street.now, tag=None),
        signed(street.entry, "POST", "/scans", body, street.now, nonce=None),
        signed(street.entry, "POST", "/scans", body, street.now, nonce="short"),
    ):
        assert refused(await send(street.client, message, body))


async def test_no_signature_doubled_headers_and_unknown_gates_get_the_same_answer(street: Street) -> None:
    body = body_of(street)
    message = signed(street.entry, "POST", "/scans", body, street.now)
    assert refused(await street.client.post(message.url, content=body))
    for other in ("gate_0000000000000", street.entry.text.replace("gate_", "lot_")):
        url = message.url.replace(street.entry.text, other)
        assert refused(await street.client.post(url, content=body, headers=message.headers))
    doubled = [*message.headers.items(), ("Signature", message.headers["Signature"])]
    assert refused(await street.client.post(message.url, content=body, headers=doubled))
    assert (await send(street.client, message, body)).status_code == 200


async def test_a_retired_gate_is_refused_at_once(street: Street) -> None:
    async with tx(street.pool) as conn:
        gate = await gate_service.get(conn, street.entry.gate_id)
        await gate_service.change_state(conn, gate, GateEvent.RETIRE, reason="stolen", actor="admin", now=street.now)
    answer = await beat(street.client, street.entry, street.now)
    assert (answer.status_code, answer.json()["code"]) == (403, "gate_retired")
