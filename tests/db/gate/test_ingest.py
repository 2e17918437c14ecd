"""Uploads: each event kept once, each code charged once, every refusal by name, nothing acknowledged lost."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from parkflow.db.tx import tx
from parkflow.gate import service as gate_service
from parkflow.invariants import checks
from parkflow.settings import Settings
from tests import seed
from tests.db.gate.conftest import Street
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock
from tests.street import enrol, forged_driver, open_lot, results, send, signed, upload


async def test_a_genuine_code_becomes_a_scan_of_its_card(street: Street) -> None:
    driver = await street.driver()
    answer = await street.pass_entry(driver)
    assert answer.json() == {
        "epoch": street.entry.epoch,
        "acked_seq": 1,
        "last_seq": 1,
        "server_at": street.now.isoformat(),
        "results": [{"seq": 1, "result": "accepted"}],
    }
    async with street.pool.acquire() as conn:
        scan = await conn.fetchrow("select card_id, lot_id, direction, scanned_at, state from scan")
    assert scan is not None
    assert tuple(scan.values()) == (driver.card_id, street.lot_id, "entry", street.now, "received")


async def test_a_batch_sent_again_is_acknowledged_and_changes_nothing(street: Street) -> None:
    driver = await street.driver()
    scans = [
        street.entry.scan(driver.code(street.now), street.now),
        street.entry.scan("PF1:NONSENSE", street.now, verdict="bad_base45"),
    ]
    first = await upload(street.client, street.entry, street.now, *scans)
    assert results(first) == ["accepted", "rejected:bad_base45"]
    again = await upload(street.client, street.entry, street.now, *scans)
    assert results(again) == ["duplicate", "duplicate"]
    assert again.json()["acked_seq"] == first.json()["acked_seq"] == 2
    assert await street.count("scan") == 1
    assert await street.count("gate_event") == 2


async def test_a_code_seen_at_two_gates_counts_once_and_is_flagged(street: Street) -> None:
    driver = await street.driver()
    async with tx(street.pool) as conn:
        _, [other] = await open_lot(conn, street.operator_id, "water-st", street.now, ["entry"])
    code = driver.code(street.now)
    here = street.entry.scan(code, street.now)
    assert results(await upload(street.client, street.entry, street.now, here)) == ["accepted"]
    screenshot = other.scan(code, street.now + timedelta(seconds=20))
    assert results(await upload(street.client, other, street.now, screenshot)) == ["replayed"]
    assert (await street.count("scan"), await street.count("scan_replay")) == (1, 1)
    async with street.pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from gate_event where verdict = 'replayed'") == 1


async def test_a_code_twice_in_one_batch_counts_once(street: Street) -> None:
    code = (await street.driver()).code(street.now)
    scans = [street.entry.scan(code, street.now), street.entry.scan(code, street.now)]
    assert results(await upload(street.client, street.entry, street.now, *scans)) == ["accepted", "replayed"]


async def test_a_batch_sent_four_times_at_once_is_kept_once(street: Street) -> None:
    driver = await street.driver()
    scans = [street.entry.scan(driver.code(street.now), street.now) for _ in range(20)]
    answers = await asyncio.gather(*(upload(street.client, street.entry, street.now, *scans) for _ in range(4)))
    given = [result for answer in answers for result in results(answer)]
    assert (given.count("accepted"), given.count("duplicate")) == (20, 60)
    assert {answer.json()["acked_seq"] for answer in answers} == {20}
    assert (await street.count("scan"), await street.count("gate_conflict")) == (20, 0)


async def test_codes_shown_at_two_gates_at_once_count_once_each(street: Street) -> None:
    driver = await street.driver()
    async with tx(street.pool) as conn:
        _, [other] = await open_lot(conn, street.operator_id, "water-st", street.now, ["entry"])
    codes = [driver.code(street.now) for _ in range(30)]
    here = [street.entry.scan(code, street.now) for code in codes]
    there = [other.scan(code, street.now) for code in reversed(codes)]
    answers = await asyncio.gather(
        upload(street.client, street.entry, street.now, *here), upload(street.client, other, street.now, *there)
    )
    given = [result for answer in answers for result in results(answer)]
    assert (given.count("accepted"), given.count("replayed")) == (30, 30)
    assert (await street.count("scan"), await street.count("scan_replay")) == (30, 30)


async def test_a_replay_that_the_gate_stopped_is_a_replay_here_too(street: Street) -> None:
    code = (await street.driver()).code(street.now)
    scans = [street.entry.scan(code, street.now), street.entry.scan(code, street.now, verdict="replayed")]
    assert results(await upload(street.client, street.entry, street.now, *scans)) == ["accepted", "replayed"]
    assert (await street.count("scan"), await street.count("scan_replay")) == (1, 1)


async def test_one_event_with_two_contents_quarantines_the_gate_and_keeps_both(street: Street) -> None:
    driver = await street.driver()
    scan = street.entry.scan(driver.code(street.now), street.now)
    await upload(street.client, street.entry, street.now, scan)
    changed = {**scan, "at_ms": scan["at_ms"] - 1000}
    answer = await upload(street.client, street.entry, street.now, changed)
    assert results(answer) == ["conflict"]
    assert (await street.count("scan"), await street.count("gate_conflict")) == (1, 1)
    async with street.pool.acquire() as conn:
        assert (await gate_service.get(conn, street.entry.gate_id)).state == "quarantined"
    # Its uploads are still evidence, and a second conflict is no further news.
    for sent, result in ((changed, "conflict"), (scan, "duplicate")):
        assert results(await upload(street.client, street.entry, street.now, sent)) == [result]
    assert await street.count("gate_conflict") == 1


async def test_an_upload_72_hours_late_is_as_good_as_a_fresh_one(street: Street) -> None:
    driver = await street.driver()
    seen = street.now
    scan = street.entry.scan(driver.code(seen), seen)
    late = street.clock.advance(hours=72)
    assert results(await upload(street.client, street.entry, late, scan)) == ["accepted"]


async def test_a_code_is_checked_against_the_scans_own_time(street: Street) -> None:
    driver = await street.driver()
    code = driver.code(street.now)
    scans = [
        street.entry.scan(code, street.now + timedelta(seconds=120)),
        street.entry.scan(code, street.now - timedelta(seconds=120)),
        street.entry.scan(driver.code(street.now + timedelta(hours=30)), street.now + timedelta(hours=30)),
    ]
    now = street.clock.advance(hours=31)
    assert results(await upload(street.client, street.entry, now, *scans)) == [
        "rejected:code_stale",
        "rejected:code_from_future",
        "rejected:credential_expired",
    ]


async def test_a_scan_from_the_future_is_refused(street: Street) -> None:
    driver = await street.driver()
    soon = street.now + timedelta(hours=1)
    answer = await upload(street.client, street.entry, street.now, street.entry.scan(driver.code(soon), soon))
    assert results(answer) == ["rejected:scan_from_future"]


async def test_another_operators_codes_are_unknown_here(street: Street) -> None:
    async with tx(street.pool) as conn:
        stranger = await seed.operator(conn, street.services.vault, name="Uptown")
        driver = await enrol(conn, street.services, stranger, street.now)
    answer = await street.pass_entry(driver)
    assert results(answer) == ["rejected:unknown_kid"]
    assert await street.count("scan") == 0


async def test_a_stolen_gate_makes_no_charge_with_codes_of_its_own(street: Street) -> None:
    driver = await street.driver()
    code = driver.code(street.now)
    async with tx(street.pool) as conn:
        forger = await forged_driver(conn, street.services, street.operator_id, street.now)
    made_up = code[:-6] + ("A" if code[-6] != "A" else "B") + code[-5:]
    answer = await upload(
        street.client,
        street.entry,
        street.now,
        street.entry.scan(made_up, street.now),
        street.entry.scan("PF1:" + "0" * 294, street.now),
        street.entry.scan("X" * 4_000, street.now),
        street.entry.scan("nul \0 here", street.now),
        street.entry.scan(forger.code(street.now), street.now),
    )
    assert all(result.startswith("rejected:") for result in results(answer)), results(answer)
    assert results(answer)[-1] == "rejected:unissued_credential"
    assert await street.count("scan") == 0
    assert await street.count("gate_event") == 5


@pytest.mark.parametrize(
    ("other", "result"),
    [
        ({"verdict": "denied"}, "rejected:denied"),
        ({"verdict": "no_bundle"}, "rejected:no_bundle"),
        ({"verdict": "no_bundle", "manual": True}, "accepted"),
        ({"direction": "exit"}, "rejected:wrong_direction"),
    ],
)
async def test_only_who_went_through_has_been_there(street: Street, other: dict[str, object], result: str) -> None:
    driver = await street.driver()
    scan = street.entry.scan(driver.code(street.now), street.now, **other)
    assert results(await upload(street.client, street.entry, street.now, scan)) == [result]


async def test_a_denied_card_that_was_let_out_is_charged_like_any_other(street: Street) -> None:
    driver = await street.driver()
    scan = street.exit.scan(driver.code(street.now), street.now, verdict="denied")
    assert results(await upload(street.client, street.exit, street.now, scan)) == ["accepted"]


async def test_what_is_acknowledged_ends_before_the_first_gap(street: Street) -> None:
    scans = [street.entry.scan("x", street.now, verdict="bad_prefix") for _ in range(5)]
    acked = []
    for sent in ([scans[0], scans[1]], [scans[3], scans[4]], [scans[2]]):
        acked.append((await upload(street.client, street.entry, street.now, *sent)).json()["acked_seq"])
    assert acked == [2, 2, 5]


async def test_a_new_journal_begins_again_at_one(street: Street) -> None:
    await upload(street.client, street.entry, street.now, street.entry.scan("x", street.now, verdict="bad_prefix"))
    street.entry.epoch, street.entry.last_seq = street.entry.epoch + 1, 0
    driver = await street.driver()
    answer = await street.pass_entry(driver)
    assert (results(answer), answer.json()["acked_seq"]) == (["accepted"], 1)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"scans": []}, 422, "batch_empty"),
        ({"scans": [{}]}, 422, "batch_malformed"),
        ({"first_seq": 7}, 422, "batch_malformed"),
        ({"epoch": -1}, 422, "batch_malformed"),
        ({"epoch": 1.5}, 422, "batch_malformed"),
        ({"prev_hash": "xyz"}, 422, "batch_malformed"),
        ({"surprise": 1}, 422, "batch_malformed"),
    ],
)
async def test_a_body_that_is_no_batch_is_refused_by_name(
    street: Street, change: dict[str, object], status: int, code: str
) -> None:
    content = json.loads(street.entry.batch(street.entry.scan("x", street.now), at=street.now))
    body = json.dumps({**content, **change}).encode()
    answer = await send(street.client, signed(street.entry, "POST", "/scans", body, street.now), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"scans":' * 10_000, b"null", b"[]"])
async def test_hostile_json_is_refused_without_harm(street: Street, body: bytes) -> None:
    answer = await send(street.client, signed(street.entry, "POST", "/scans", body, street.now), body)
    assert (answer.status_code, answer.json()["code"]) == (422, "batch_malformed")


async def test_limits_are_two_thousand_scans_one_mebibyte_and_no_encoding(street: Street) -> None:
    scans = [street.entry.scan("x", street.now, verdict="bad_prefix") for _ in range(2_001)]
    too_many = await upload(street.client, street.entry, street.now, *scans)
    assert (too_many.status_code, too_many.json()["code"]) == (413, "batch_too_large")
    assert (
        results(await upload(street.client, street.entry, street.now, *scans[:2_000]))
        == ["rejected:bad_prefix"] * 2_000
    )
    body = b" " * (1024 * 1024 + 1)
    too_long = await send(street.client, signed(street.entry, "POST", "/scans", body, street.now), body)
    assert (too_long.status_code, too_long.json()["code"]) == (413, "body_too_large")
    packed = await send(
        street.client, signed(street.entry, "POST", "/scans", b"x", street.now), b"x", **{"Content-Encoding": "gzip"}
    )
    assert packed.status_code == 415


async def test_limits_of_uploads_are_those_of_the_settings(street: Street) -> None:
    settings = Settings(scan_batch_max=2, body_bytes_max=2_000, request_age_max_seconds=5)
    scans = [street.entry.scan("x" * 300, street.now, verdict="bad_prefix") for _ in range(3)]
    async with client_of(replace(services_over(street.pool, HeldClock(street.now)), settings=settings)) as client:
        too_many = await upload(client, street.entry, street.now, *scans)
        too_old = await upload(client, street.entry, street.now - timedelta(seconds=6), *scans[:2])
        kept = await upload(client, street.entry, street.now - timedelta(seconds=4), *scans[:2])
        body = b" " * 2_001
        too_large = await send(client, signed(street.entry, "POST", "/scans", body, street.now), body)
    refused = [(answer.status_code, answer.json()["code"]) for answer in (too_many, too_old, too_large)]
    assert refused == [(413, "batch_too_large"), (401, "gate_signature_refused"), (413, "body_too_large")]
    assert results(kept) == ["rejected:bad_prefix"] * 2


async def test_a_batch_that_does_not_follow_quarantines_the_gate(street: Street) -> None:
    scans = [street.entry.scan("x", street.now, verdict="bad_prefix") for _ in range(3)]
    await upload(street.client, street.entry, street.now, scans[0])
    body = street.entry.batch(*scans[1:], at=street.now, prev_hash="11" * 32)
    answer = await send(street.client, signed(street.entry, "POST", "/scans", body, street.now), body)
    # What it says is kept and acknowledged, and counts for nothing until a person has looked.
    assert (results(answer), answer.json()["acked_seq"]) == (["rejected:bad_prefix"] * 2, 3)
    assert await street.quarantine_reason(street.entry) == "chain_broken"


@pytest.mark.parametrize("first", [1, 3])
async def test_batches_in_any_order_are_one_chain(street: Street, first: int) -> None:
    scans = [street.entry.scan("x", street.now, verdict="bad_prefix") for _ in range(4)]
    parts = [scans[:2], scans[2:]] if first == 1 else [scans[2:], scans[:2]]
    for part in parts:
        answer = await upload(street.client, street.entry, street.now, *part)
    assert (answer.json()["acked_seq"], answer.json()["last_seq"]) == (4, 4)
    assert await street.quarantine_reason(street.entry) is None
    # The next batch goes on from what was put together.
    await upload(street.client, street.entry, street.now, street.entry.scan("x", street.now, verdict="bad_prefix"))
    assert await street.quarantine_reason(street.entry) is None


async def test_an_early_batch_must_fit_the_one_that_came_before_it(street: Street) -> None:
    scans = [street.entry.scan("x", street.now, verdict="bad_prefix") for _ in range(3)]
    await upload(street.client, street.entry, street.now, *scans[1:])
    other = {**scans[0], "code": "y"}
    answer = await upload(street.client, street.entry, street.now, other)
    assert results(answer) == ["rejected:bad_prefix"]
    assert await street.quarantine_reason(street.entry) == "chain_broken"


async def test_the_same_event_after_another_past_is_not_the_gates_journal(street: Street) -> None:
    scans = [street.entry.scan("x", street.now, verdict="bad_prefix") for _ in range(2)]
    await upload(street.client, street.entry, street.now, *scans)
    body = street.entry.batch(scans[1], at=street.now, prev_hash="22" * 32)
    answer = await send(street.client, signed(street.entry, "POST", "/scans", body, street.now), body)
    assert results(answer) == ["duplicate"]
    assert await street.quarantine_reason(street.entry) == "chain_broken"


async def test_many_small_uploads_at_once_are_kept_in_few_transactions(street: Street) -> None:
    drivers = [await street.driver() for _ in range(3)]
    async with tx(street.pool) as conn:
        gates = [street.entry, street.exit]
        for number in range(8):
            gates += (await open_lot(conn, street.operator_id, f"lot-{number}", street.now))[1]
    batches = [[gate.scan(driver.code(street.now), street.now) for driver in drivers] for gate in gates]
    async with street.pool.acquire() as conn:
        before = await conn.fetchval("select pg_current_xact_id()::text::bigint")
    answers = await asyncio.gather(
        *(upload(street.client, gate, street.now, *batch) for gate, batch in zip(gates, batches, strict=True))
    )
    assert [results(answer) for answer in answers] == [["accepted"] * 3] * len(gates)
    assert await street.count("scan") == 3 * len(gates)
    async with street.pool.acquire() as conn:
        nonces = await conn.fetchval("select count(*) from limit_use")
        spent = await conn.fetchval("select pg_current_xact_id()::text::bigint") - before - nonces
    # One look for themselves, and a few flushes for eighteen uploads.
    assert spent <= 6


async def test_a_gate_with_a_doubtful_clock_is_believed_within_bounds(street: Street) -> None:
    driver = await street.driver()
    slow = street.now - timedelta(seconds=50)
    # The phone's clock is slow as well, or the gate would not have taken the code.
    scan = street.entry.scan(driver.code(slow), slow)
    body = street.entry.batch(scan, at=slow)
    answer = await send(street.client, signed(street.entry, "POST", "/scans", body, street.now), body)
    assert results(answer) == ["accepted"]
    async with street.pool.acquire() as conn:
        row = await conn.fetchrow("select scanned_at, earliest_at, latest_at from scan")
    assert row is not None
    assert tuple(row.values()) == (slow, slow, street.now)


async def test_an_event_that_was_altered_later_shows_in_the_chain(street: Street) -> None:
    scans = [street.entry.scan("x", street.now, verdict="bad_prefix") for _ in range(3)]
    await upload(street.client, street.entry, street.now, *scans)

    async def broken_links() -> int:
        found = await checks.run(street.pool, now=street.now)
        return next(one.violations for one in found if one.rule == "every event follows the one before it")

    assert await broken_links() == 0
    async with street.pool.acquire() as conn:
        await conn.execute("update gate_event set content_sha256 = sha256('other') where seq = 2")
    assert await broken_links() == 1


async def test_the_number_of_a_real_credential_does_not_make_a_forged_one_ours(street: Street) -> None:
    driver = await street.driver()
    async with tx(street.pool) as conn:
        forger = await forged_driver(conn, street.services, street.operator_id, street.now, card_id=driver.card_id)
    assert results(await street.pass_entry(forger)) == ["rejected:unissued_credential"]
    assert await street.count("scan") == 0
