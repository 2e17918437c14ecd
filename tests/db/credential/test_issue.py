"""Credentials: only for active cards, only for enrolled phones, never past a freeze; what gates are told of them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from parkflow import core
from parkflow.card import service as cards
from parkflow.card.state import FreezeReason
from parkflow.credential import denylist, keys
from parkflow.credential.keys import KEY_LIFETIME, KEY_OVERLAP, ScanSubject, SealedScan
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.kit.encoding import base64url, bytes_from_base64url
from parkflow.kit.ids import bucket_of
from parkflow.services import Services
from tests import seed
from tests.driver_desk import DriverDesk, card_text
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock


@dataclass
class Town:
    """One operator, one driver with an active card and an enrolled phone."""

    services: Services
    clock: HeldClock
    operator_id: int
    card_id: int
    driver: DriverDesk

    async def freeze(self, reason: FreezeReason) -> None:
        async with tx(self.services.pool) as conn:
            await cards.freeze(
                conn, bucket=bucket_of(self.card_id), card_ids=[self.card_id], reason=reason, now=self.clock.now()
            )

    async def put_state(self, state: str) -> None:
        async with tx(self.services.pool) as conn:
            await conn.execute("update card set state = $1 where card_id = $2", state, self.card_id)

    async def denied(self) -> list[bytes]:
        async with self.services.pool.acquire() as conn:
            found = await denylist.listing(conn, self.operator_id, now=self.clock.now())
        return [found.denied[at : at + 16] for at in range(0, len(found.denied), 16)]

    async def verdict(self, text: str) -> core.Verdict:
        async with self.services.pool.acquire() as conn:
            key_set = core.KeySet(await keys.key_set(conn, self.operator_id))
        now_s = int(self.clock.now().timestamp())
        return core.verify_code(text, now_s=now_s, keys=key_set, policy=core.Policy())


@pytest.fixture
async def town(pool: Pool, clock: HeldClock) -> AsyncIterator[Town]:
    services = services_over(pool, clock)
    async with tx(pool) as conn:
        operator_id = await seed.operator(conn, services.vault)
        await seed.channel(conn, services.vault)
        account_id, card_id = await seed.driver_with_card(conn, services.vault, operator_id=operator_id)
        token = await seed.session(conn, account_id)
    async with client_of(services) as client:
        driver = DriverDesk(client, token, card_text(card_id))
        assert (await driver.enrol()).status_code == 201
        yield Town(services, clock, operator_id, card_id, driver)


async def test_a_phone_with_a_credential_makes_codes_that_a_gate_accepts(town: Town) -> None:
    now, code_secret = town.clock.now(), bytes([9]) * 32
    answer = await town.driver.credential(now, code_secret=code_secret)
    assert answer.status_code == 201, answer.text
    issued = answer.json()
    assert (issued["serial"], issued["not_before"]) == (1, "2017-10-20T15:59:00Z")
    assert issued["expires_at"] == "2017-10-21T15:59:00Z"
    credential = bytes_from_base64url("credential", issued["credential"])
    verdict = await town.verdict(core.make_code(credential, code_secret, int(now.timestamp()), 5))
    assert verdict.name == "accepted"
    assert verdict.subject is not None
    assert verdict.kid is not None
    scan = SealedScan(verdict.kid, verdict.subject)
    async with town.services.pool.acquire() as conn:
        opened = await keys.open_scans(conn, town.services.vault, [scan, SealedScan(1, bytes(16))])
    assert opened == [ScanSubject(bucket_of(town.card_id), town.card_id, 1), None]


async def test_an_online_code_is_a_code_like_any_other(town: Town) -> None:
    answer = await town.driver.of_card("POST", "/online-codes")
    assert answer.status_code == 201, answer.text
    assert answer.json()["refresh_after_seconds"] == 15
    assert (await town.verdict(answer.json()["code"])).name == "accepted"


async def test_online_codes_of_one_day_share_one_credential(town: Town) -> None:
    subjects = set()
    for _ in range(3):
        code = (await town.driver.of_card("POST", "/online-codes")).json()["code"]
        subjects.add((await town.verdict(code)).subject)
        town.clock.advance(seconds=15)
    assert len(subjects) == 1
    town.clock.advance(hours=24)
    code = (await town.driver.of_card("POST", "/online-codes")).json()["code"]
    assert (await town.verdict(code)).subject not in subjects


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        ("issued", None, "card_not_active"),
        ("frozen", FreezeReason.ARREARS, "card_in_arrears"),
        ("frozen", FreezeReason.LOST, "card_frozen"),
        ("frozen", FreezeReason.OPERATOR, "card_frozen"),
        ("frozen", FreezeReason.RISK, "card_frozen"),
        ("returning", None, "card_returning"),
        ("returned", None, "card_not_active"),
    ],
)
async def test_a_card_that_is_not_active_gets_no_codes(
    town: Town, state: str, reason: FreezeReason | None, code: str
) -> None:
    if reason is not None:
        await town.freeze(reason)
    await town.put_state(state)
    asked = [await town.driver.credential(town.clock.now()), await town.driver.of_card("POST", "/online-codes")]
    assert [(answer.status_code, answer.json()["code"]) for answer in asked] == [(409, code)] * 2
    async with town.services.pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from credential") == 0


async def test_arrears_come_first_among_the_reasons(town: Town) -> None:
    for reason in (FreezeReason.LOST, FreezeReason.ARREARS):
        await town.freeze(reason)
    assert (await town.driver.credential(town.clock.now())).json()["code"] == "card_in_arrears"


async def test_no_credential_slips_past_a_freeze(town: Town) -> None:
    async def ask() -> int:
        return (await town.driver.credential(town.clock.now())).status_code

    answers = await asyncio.gather(
        *(ask() for _ in range(4)), town.freeze(FreezeReason.ARREARS), *(ask() for _ in range(4))
    )
    issued = answers.count(201)
    assert issued + answers.count(409) == 8
    # Whatever came through before the freeze is on the deny list from the freeze on.
    assert len(await town.denied()) == issued
    assert (await town.driver.credential(town.clock.now())).json()["code"] == "card_in_arrears"


async def test_issuing_waits_for_a_freeze_that_is_not_committed_yet(town: Town) -> None:
    async with tx(town.services.pool) as conn:
        await cards.freeze(
            conn,
            bucket=bucket_of(town.card_id),
            card_ids=[town.card_id],
            reason=FreezeReason.ARREARS,
            now=town.clock.now(),
        )
        asking = asyncio.create_task(town.driver.credential(town.clock.now()))
        finished, _ = await asyncio.wait([asking], timeout=0.3)
        assert not finished
    assert (await asking).json()["code"] == "card_in_arrears"


async def test_the_same_code_key_again_gives_the_same_credential(town: Town) -> None:
    request = town.driver.request(town.clock.now())
    first, second = [await town.driver.of_card("POST", "/credentials", request) for _ in range(2)]
    assert first.json() == second.json()
    async with town.services.pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from credential") == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code_key": base64url(core.public_key(bytes([3]) * 32))}, "bad_device_signature"),
        ({"signature": base64url(bytes(64))}, "bad_device_signature"),
        ({"signature": ""}, "bad_device_signature"),
        ({"requested_at": "2017-10-20T15:59:59Z"}, "bad_device_signature"),
        ({"requested_at": "2017-10-20T15:54:59Z"}, "request_stale"),
        ({"requested_at": "2017-10-20T16:05:01Z"}, "request_stale"),
        ({"requested_at": "0001-01-01T00:00:00Z"}, "request_stale"),
        ({"requested_at": "2017-10-20T16:00:00"}, "invalid_request"),
        ({"code_key": base64url(bytes(32))}, "bad_code_key"),
        ({"code_key": base64url(bytes(31))}, "bad_code_key"),
        ({"code_key": "A="}, "malformed_bytes"),
        ({"device_id": "dev_0000000000000"}, "not_found"),
        ({"device_id": "dev"}, "malformed_id"),
        ({"more": 1}, "invalid_request"),
    ],
)
async def test_a_request_that_the_device_did_not_sign_is_refused(
    town: Town, changes: dict[str, object], code: str
) -> None:
    answer = await town.driver.credential(town.clock.now(), **changes)
    assert answer.json()["code"] == code, answer.text


async def test_a_challenge_serves_one_card_for_five_minutes(town: Town) -> None:
    challenge = await town.driver.challenge()
    town.clock.advance(minutes=5)
    again = await town.driver.enrol(challenge)
    assert (again.status_code, again.json()["device_id"]) == (201, town.driver.device)
    town.clock.advance(seconds=1)
    assert (await town.driver.enrol(challenge)).json()["code"] == "challenge_refused"
    fresh = await town.driver.challenge()
    for wrong in (b"", fresh[:-1], bytes([fresh[0] ^ 1]) + fresh[1:], fresh[:-1] + bytes([fresh[-1] ^ 1])):
        assert (await town.driver.enrol(wrong)).json()["code"] == "challenge_refused"


@pytest.mark.parametrize(
    "public_key",
    # The identity, a point of order 2, of order 8, and a y that is not reduced: none of them is anybody's key.
    [
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ee" + "ff" * 30 + "7f",
        "",
    ],
)
async def test_a_weak_device_key_is_not_enrolled(town: Town, public_key: str) -> None:
    challenge = await town.driver.challenge()
    proof = {
        "public_key": base64url(bytes.fromhex(public_key)),
        "challenge": base64url(challenge),
        "signature": base64url(core.sign_message(town.driver.device_secret, "enrol/1", challenge)),
    }
    assert (await town.driver.of_card("POST", "/devices", proof)).json()["code"] == "bad_device_key"


async def test_a_card_has_at_most_five_phones_and_a_lost_one_is_denied(town: Town) -> None:
    await town.driver.credential(town.clock.now())
    lost = town.driver.device
    for number in range(1, 6):
        town.driver.device_secret = bytes([100 + number]) * 32
        answer = await town.driver.enrol()
        assert answer.status_code == (201 if number < 5 else 409), answer.text
    assert answer.json()["code"] == "too_many_devices"
    assert await town.denied() == []
    assert (await town.driver.of_card("DELETE", f"/devices/{lost}")).status_code == 204
    assert len(await town.denied()) == 1
    assert (await town.driver.enrol()).status_code == 201


async def test_a_revoked_phone_gets_nothing_and_is_not_enrolled_again(town: Town) -> None:
    await town.driver.of_card("DELETE", f"/devices/{town.driver.device}")
    assert (await town.driver.credential(town.clock.now())).status_code == 404
    assert (await town.driver.enrol()).json()["code"] == "device_key_in_use"


async def test_a_denied_subject_leaves_the_list_when_its_credential_expires(town: Town) -> None:
    await town.driver.credential(town.clock.now())
    await town.freeze(FreezeReason.LOST)
    assert len(await town.denied()) == 1
    town.clock.advance(hours=24)
    assert await town.denied() == []


async def test_two_that_make_the_operators_key_at_once_make_one(town: Town) -> None:
    async def ensure() -> int:
        async with tx(town.services.pool) as conn:
            key = await keys.ensure_issuer_key(conn, town.services.vault, town.operator_id, now=town.clock.now())
            return key.kid

    assert len(set(await asyncio.gather(*(ensure() for _ in range(8))))) == 1


async def test_the_next_key_is_made_early_and_used_late(town: Town) -> None:
    async def ensure() -> int:
        async with tx(town.services.pool) as conn:
            key = await keys.ensure_issuer_key(conn, town.services.vault, town.operator_id, now=town.clock.now())
            return key.kid

    async def known() -> int:
        async with town.services.pool.acquire() as conn:
            return len(await keys.key_set(conn, town.operator_id))

    first = await ensure()
    made_at = town.clock.now()
    town.clock.move_to(made_at + KEY_LIFETIME - KEY_OVERLAP)
    assert (await ensure(), await known()) == (first, 2)
    town.clock.move_to(made_at + KEY_LIFETIME - timedelta(hours=72))
    assert (await ensure() != first, await known()) == (True, 2)
