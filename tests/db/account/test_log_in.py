"""Logging in: one-time codes that can be tried five times, asked for five times an hour, and used once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from parkflow.account import service as accounts
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.services import Services
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock
from tests.seed import NOW

PHONE = "+14345550123"


@dataclass
class Phone:
    """Somebody in front of the log-in page."""

    client: httpx.AsyncClient
    services: Services

    async def ask(self, phone: str = PHONE) -> httpx.Response:
        return await self.client.post("/v1/driver/one-time-codes", json={"phone": phone})

    async def text_message(self, phone: str = PHONE) -> str:
        async with self.services.pool.acquire() as conn:
            notice = await accounts.newest_code_notice(conn, self.services.vault, phone=phone)
        assert notice is not None
        return notice.body

    async def log_in(self, one_time_code: str, phone: str = PHONE) -> httpx.Response:
        body = {"phone": phone, "one_time_code": one_time_code}
        return await self.client.post("/v1/driver/sessions", json=body)

    async def cards(self, token: str) -> httpx.Response:
        return await self.client.get("/v1/driver/cards", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
async def phone(pool: Pool, clock: HeldClock) -> AsyncIterator[Phone]:
    services = services_over(pool, clock)
    async with client_of(services) as client:
        yield Phone(client, services)


def wrong(one_time_code: str) -> str:
    return f"{(int(one_time_code) + 1) % 1_000_000:06d}"


async def test_a_phone_logs_in_with_the_code_that_was_sent_to_it(phone: Phone) -> None:
    asked = await phone.ask()
    assert asked.status_code == 202
    assert asked.json() == {"expires_at": "2017-10-20T16:05:00Z"}
    session = await phone.log_in(await phone.text_message())
    assert session.status_code == 201
    assert (await phone.cards(session.json()["token"])).json() == {"cards": []}


async def test_the_same_phone_comes_back_to_the_same_account(phone: Phone, clock: HeldClock) -> None:
    accounts_seen = set()
    for spelled in (PHONE, "+1 (434) 555-0123"):
        await phone.ask(spelled)
        session = await phone.log_in(await phone.text_message(), spelled)
        accounts_seen.add(session.json()["account_id"])
        clock.advance(minutes=1)
    assert len(accounts_seen) == 1


async def test_a_code_is_used_once(phone: Phone) -> None:
    await phone.ask()
    one_time_code = await phone.text_message()
    assert (await phone.log_in(one_time_code)).status_code == 201
    again = await phone.log_in(one_time_code)
    assert (again.status_code, again.json()["code"]) == (401, "one_time_code_refused")


async def test_after_five_wrong_tries_the_right_code_is_refused_too(phone: Phone) -> None:
    await phone.ask()
    one_time_code = await phone.text_message()
    for _ in range(5):
        assert (await phone.log_in(wrong(one_time_code))).json()["code"] == "one_time_code_refused"
    assert (await phone.log_in(one_time_code)).status_code == 401


async def test_the_fifth_try_still_counts_as_a_try(phone: Phone) -> None:
    await phone.ask()
    one_time_code = await phone.text_message()
    for _ in range(4):
        await phone.log_in(wrong(one_time_code))
    assert (await phone.log_in(one_time_code)).status_code == 201


async def test_of_two_log_ins_at_once_with_one_code_one_works(phone: Phone) -> None:
    await phone.ask()
    one_time_code = await phone.text_message()
    answers = await asyncio.gather(*(phone.log_in(one_time_code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401]


async def test_guesses_that_come_at_once_have_no_more_tries(phone: Phone) -> None:
    await phone.ask()
    one_time_code = await phone.text_message()
    await asyncio.gather(*(phone.log_in(wrong(one_time_code)) for _ in range(10)))
    async with phone.services.pool.acquire() as conn:
        assert await conn.fetchval("select tries from one_time_code") == 5
    assert (await phone.log_in(one_time_code)).status_code == 401


async def test_a_phone_that_two_log_in_with_at_once_has_one_account(pool: Pool, phone: Phone) -> None:
    # Whoever stands at the second step of the log-in at the same moment meets in the directory of phones.
    async def claim() -> int:
        async with tx(pool) as conn:
            return await accounts.account_of(conn, phone.services.vault, phone=PHONE, now=NOW)

    assert len(set(await asyncio.gather(*(claim() for _ in range(8))))) == 1
    async with pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from account") == 1


@pytest.mark.parametrize(("seconds", "status"), [(299, 201), (300, 401)])
async def test_a_code_lives_five_minutes(phone: Phone, clock: HeldClock, seconds: int, status: int) -> None:
    await phone.ask()
    one_time_code = await phone.text_message()
    clock.advance(seconds=seconds)
    assert (await phone.log_in(one_time_code)).status_code == status


async def test_only_the_newest_code_can_be_used(phone: Phone, clock: HeldClock) -> None:
    await phone.ask()
    first = await phone.text_message()
    clock.advance(seconds=1)
    await phone.ask()
    assert (await phone.log_in(first)).status_code == 401
    assert (await phone.log_in(await phone.text_message())).status_code == 201


async def test_a_phone_gets_five_codes_an_hour_and_ten_a_day(phone: Phone, clock: HeldClock) -> None:
    answers = []
    for _hour in range(3):
        answers.append([(await phone.ask()).status_code for _ in range(6)])
        clock.advance(hours=1, seconds=1)
    assert answers == [[202] * 5 + [429], [202] * 5 + [429], [429] * 6]
    assert (await phone.ask("+14345550199")).status_code == 202


async def test_a_refused_request_for_a_code_names_the_limit(phone: Phone) -> None:
    for _ in range(5):
        await phone.ask()
    assert (await phone.ask()).json()["code"] == "too_many_one_time_codes"


@pytest.mark.parametrize("number", ["4345550177", "+0123456789", "+19", "phone no", "+1434555012345678"])
async def test_a_number_without_country_code_is_refused_and_not_repeated(phone: Phone, number: str) -> None:
    answer = await phone.ask(number)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_phone")
    assert number not in answer.text


async def test_an_unknown_phone_gets_the_same_answers_as_a_known_one(phone: Phone, clock: HeldClock) -> None:
    await phone.ask()
    await phone.log_in(await phone.text_message())
    clock.advance(hours=2)
    known, unknown = await phone.ask(), await phone.ask("+14345550177")
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    refusals = [await phone.log_in("abcdef", number) for number in (PHONE, "+14345550177", "+14345550178")]
    assert len({(refusal.status_code, refusal.text) for refusal in refusals}) == 1


@pytest.mark.parametrize("token", ["", "pfs_", "pfs_" + "A" * 46, "pfs_" + "_" * 46, "pfop_" + "A" * 43])
async def test_without_a_session_nothing_is_shown(phone: Phone, token: str) -> None:
    answer = await phone.cards(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_refused")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_session_ends_after_thirty_days_or_by_log_out(phone: Phone, clock: HeldClock) -> None:
    tokens = []
    for _ in range(2):
        await phone.ask()
        tokens.append((await phone.log_in(await phone.text_message())).json()["token"])
        clock.advance(seconds=1)
    out = await phone.client.delete("/v1/driver/sessions/current", headers={"Authorization": f"Bearer {tokens[0]}"})
    assert out.status_code == 204
    assert [(await phone.cards(token)).status_code for token in tokens] == [401, 200]
    clock.advance(days=30)
    assert (await phone.cards(tokens[1])).status_code == 401


async def test_phones_and_codes_are_nowhere_readable_in_the_database(phone: Phone) -> None:
    await phone.ask()
    one_time_code = await phone.text_message()
    await phone.log_in(one_time_code)
    async with phone.services.pool.acquire() as conn:
        for table in ("account", "account_directory", "account_session", "one_time_code", "notice", "limit_use"):
            stored = b"".join(
                bytes(str(tuple(row.values())), "utf8") for row in await conn.fetch(f"select * from {table}")
            )
            assert PHONE.encode() not in stored, table
            assert f"'{one_time_code}'".encode() not in stored, table
