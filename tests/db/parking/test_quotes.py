"""The quote of a real stay that is open: who gets it, that it is the price to come, and that asking changes nothing."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from parkflow.db.tx import tx
from parkflow.kit.ids import from_text, new_bucket, new_id, to_text
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from parkflow.parking.quote import quote_id
from parkflow.tariff import service as tariff_service
from tests import seed
from tests.db.parking.closed import DAILY, close, price, tariff
from tests.db.parking.conftest import Lot
from tests.street import Driver

# All that a quote could use up or leave behind.
TABLES = ("stay", "account_history", "charge", "operator_audit", "lot_tariff")


async def inside(lot: Lot, *, since: int = 0) -> tuple[Driver, str, str]:
    """A driver whose car stands in the lot since that minute after noon; the session, and the text of the stay's id."""
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, since), minute=since + 1)
    await lot.apply()
    async with tx(lot.pool) as conn:
        account_id = await conn.fetchval("select account_id from card where card_id = $1", driver.card_id)
        stay_id = await conn.fetchval("select stay_id from stay where card_id = $1 and state = 'open'", driver.card_id)
        return driver, await seed.session(conn, account_id), to_text("stay", stay_id)


async def desk(lot: Lot, role: Role, *, operator_id: int | None = None) -> str:
    async with tx(lot.pool) as conn:
        principal = Principal(operator_id or lot.operator_id, role, f"desk of {role}")
        return await operator_service.issue_token(conn, principal, now=lot.start)


async def ask(lot: Lot, who: str, token: str, stay: str, exit_at: datetime | str | None = None) -> httpx.Response:
    params = {} if exit_at is None else {"exit_at": exit_at if isinstance(exit_at, str) else exit_at.isoformat()}
    headers = {"Authorization": f"Bearer {token}"}
    return await lot.client.get(f"/v1/{who}/stays/{stay}/quote", params=params, headers=headers)


async def quoted(lot: Lot, token: str, stay: str, minute: int | None = None) -> dict[str, Any]:
    answer = await ask(lot, "driver", token, stay, None if minute is None else lot.at(minute))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def leave(lot: Lot, driver: Driver, minute: int) -> dict[str, Any]:
    """The record by which the driver's stay is priced after this exit."""
    await lot.upload(lot.goes_out(driver, minute), minute=minute + 1)
    await lot.apply()
    async with lot.pool.acquire() as conn:
        record: dict[str, Any] = await conn.fetchval(
            "select fee_lines from stay where card_id = $1 order by exit_at desc limit 1", driver.card_id
        )
    return record


async def everything(lot: Lot) -> list[list[tuple[Any, ...]]]:
    async with lot.pool.acquire() as conn:
        return [[tuple(row.values()) for row in await conn.fetch(f"select * from {table}")] for table in TABLES]


async def reprice(lot: Lot, text: str, *, lot_id: int | None = None, since: int = 0) -> None:
    """Assign the text to the lot from that minute after noon on."""
    async with tx(lot.pool) as conn:
        version = await tariff_service.publish(conn, operator_id=lot.operator_id, source=text, now=lot.start)
        await tariff_service.assign(
            conn,
            operator_id=lot.operator_id,
            lot_id=lot_id or lot.lot_id,
            sha256=version.sha256,
            valid_from=lot.at(since),
            now=lot.start,
        )


async def test_a_driver_is_told_the_fee_that_leaving_then_will_cost(lot: Lot) -> None:
    driver, token, stay = await inside(lot)
    found = await quoted(lot, token, stay, 61)
    assert (found["stay"], datetime.fromisoformat(found["at"])) == (stay, lot.at(61))
    assert (found["currency"], found["minor_exponent"], found["tariff_id"]) == ("USD", 2, "us-charlottesville-2017")
    # Without an instant it is now, one minute after noon.
    assert datetime.fromisoformat((await quoted(lot, token, stay))["at"]) == lot.at(1)
    record = await leave(lot, driver, 61)
    assert (found["fee_minor"], found["lines"]) == (record["fee_minor"], record["lines"])
    assert (found["tariff_sha256"], found["tzdata_version"]) == (record["tariff_sha256"], record["tzdata_version"])
    # The receipt's record gives the same id again.
    assert from_text("quote", found["quote_id"]) == quote_id(from_text("stay", stay), record)


async def test_the_same_question_has_the_same_answer_and_changes_nothing(lot: Lot) -> None:
    _, token, stay = await inside(lot)
    before = await everything(lot)
    first, second, other = [await quoted(lot, token, stay, minute) for minute in (60, 60, 90)]
    assert first == second
    assert first["quote_id"] != other["quote_id"]
    assert await everything(lot) == before


async def test_a_driver_is_told_until_when_it_is_free_and_when_the_fee_rises(lot: Lot) -> None:
    await reprice(lot, tariff("t", of_plan="grace: {minutes: 30},"), since=10)
    _, token, stay = await inside(lot, since=20)

    def ends(found: dict[str, Any]) -> tuple[Any, ...]:
        instants = [found[name] and datetime.fromisoformat(found[name]) for name in ("free_until", "rises_at")]
        return found["fee_minor"], *instants, found["rises_to_minor"]

    second = timedelta(seconds=1)
    assert ends(await quoted(lot, token, stay)) == (0, lot.at(50), lot.at(50) + second, 180)
    assert ends(await quoted(lot, token, stay, 51)) == (180, None, lot.at(80) + second, 360)


async def test_a_version_that_counts_back_is_seen_coming(lot: Lot) -> None:
    await reprice(lot, tariff("t"), since=1)
    await reprice(lot, tariff("t", of_tariff="version_at: exit,").replace("180", "200"), since=100)
    driver, token, stay = await inside(lot, since=10)
    found = await quoted(lot, token, stay, 80)
    rise = datetime.fromisoformat(found["rises_at"]), found["rises_to_minor"]
    assert (found["fee_minor"], *rise) == (360, lot.at(100), 400)
    after = await quoted(lot, token, stay, 100)
    record = await leave(lot, driver, 100)
    assert (record["fee_minor"], record["tariff_sha256"]) == (400, after["tariff_sha256"])
    assert after["tariff_sha256"] != found["tariff_sha256"]


async def test_asking_uses_no_account_cap_up(lot: Lot) -> None:
    await reprice(lot, tariff("t", of_plan=DAILY), since=1)
    driver, token, stay = await inside(lot, since=200)
    # One stay of the card is in its history, another waits for its price and will be settled first.
    await close(lot, driver.card_id, (lot.lot_id, 2, 62))
    assert await price(lot) == 1
    await close(lot, driver.card_id, (lot.lot_id, 100, 150))
    before = await everything(lot)
    answers = [await quoted(lot, token, stay, 320) for _ in range(3)]
    assert [found["fee_minor"] for found in answers] == [40] * 3
    assert await everything(lot) == before
    record = await leave(lot, driver, 320)
    assert record["fee_minor"] == 40
    assert "history" in record
    assert from_text("quote", answers[0]["quote_id"]) == quote_id(from_text("stay", stay), record)


async def test_somebody_elses_stay_is_answered_like_a_guessed_one(lot: Lot) -> None:
    _, _, stay = await inside(lot)
    async with tx(lot.pool) as conn:
        stranger = await seed.account(conn, lot.services.vault, phone="+14345550199")
        token = await seed.session(conn, stranger)
        elsewhere = await seed.operator(conn, lot.services.vault, name="Uptown")
    other_desk = await desk(lot, Role.ADMIN, operator_id=elsewhere)
    before = await everything(lot)
    guessed = to_text("stay", new_id(new_bucket()))
    for who, caller in (("driver", token), ("operator", other_desk)):
        answers = [await ask(lot, who, caller, one) for one in (stay, guessed)]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 2
        assert answers[0].text == answers[1].text
    assert await everything(lot) == before


async def test_staff_are_told_the_same_and_every_look_is_on_record(lot: Lot) -> None:
    _, token, stay = await inside(lot)
    own = await quoted(lot, token, stay, 60)
    desks = {role: await desk(lot, role) for role in Role}
    for caller in desks.values():
        answer = await ask(lot, "operator", caller, stay, lot.at(60))
        assert (answer.status_code, answer.json()) == (200, own)
    async with lot.pool.acquire() as conn:
        rows = await conn.fetch("select token_name, action from operator_audit where subject = $1", stay)
    assert sorted(tuple(row.values()) for row in rows) == sorted((f"desk of {role}", "quote_seen") for role in Role)
    # A driver's token is none of the operator's, and the other way round.
    assert (await ask(lot, "operator", token, stay)).status_code == 401
    assert (await ask(lot, "driver", desks[Role.ADMIN], stay)).status_code == 401


async def test_a_stay_that_is_over_has_a_receipt_and_no_quote(lot: Lot) -> None:
    driver, token, stay = await inside(lot)
    await leave(lot, driver, 60)
    staff = await desk(lot, Role.SUPPORT)
    for state in ("priced", "closed", "abandoned"):
        async with tx(lot.pool) as conn:
            await conn.execute("update stay set state = $1, reason = 'missing_exit'", state)
        for who, caller in (("driver", token), ("operator", staff)):
            answer = await ask(lot, who, caller, stay)
            assert refusal(answer) == (409, "stay_is_over")
            assert "receipt" in answer.json()["detail"]


async def test_an_exit_is_between_the_entry_and_a_day_from_now(lot: Lot) -> None:
    _, token, stay = await inside(lot, since=10)
    assert (await quoted(lot, token, stay, 10))["fee_minor"] == 0
    # The clock stands at minute 11.
    assert (await ask(lot, "driver", token, stay, lot.at(11 + 24 * 60))).status_code == 200
    second, early, late = timedelta(seconds=1), (422, "exit_before_entry"), (422, "exit_too_far")
    wrong: list[tuple[datetime | str, tuple[int, str]]] = [
        (lot.at(10) - second, early),
        ("0001-01-01T00:00:00+14:00", early),
        (lot.at(11 + 24 * 60) + second, late),
        ("9999-12-31T23:59:59-14:00", late),
        ("2017-10-20T17:00:00", (422, "invalid_request")),
        ("soon", (422, "invalid_request")),
    ]
    for exit_at, expected in wrong:
        assert refusal(await ask(lot, "driver", token, stay, exit_at)) == expected, exit_at
    assert refusal(await ask(lot, "driver", token, "stay_x")) == (422, "malformed_id")


async def test_without_a_tariff_or_a_price_there_is_no_quote(lot: Lot) -> None:
    await reprice(lot, tariff("t", of_plan="if: {minutes: {lt: 60}},"), since=1)
    _, token, stay = await inside(lot, since=10)
    assert refusal(await ask(lot, "driver", token, stay, lot.at(70))) == (409, "no_price_then")
    assert (await quoted(lot, token, stay, 69))["rises_at"] is None
    async with tx(lot.pool) as conn:
        await conn.execute("delete from lot_tariff")
    for who, caller in (("driver", token), ("operator", await desk(lot, Role.ADMIN))):
        assert refusal(await ask(lot, who, caller, stay)) == (409, "no_tariff_in_force")
