"""The receipt of a real stay: who gets it, in which form and language, and that it recomputes."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from parkflow.charge import service as charges
from parkflow.db.tx import tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of, new_bucket, new_id, to_text
from parkflow.ledger import service as ledger
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from parkflow.receipt import service as receipts
from parkflow.receipt.document import Receipt, read
from parkflow.receipt.verify import verify
from tests import seed
from tests.db.parking.conftest import Lot
from tests.db.test_cli import run
from tests.edge import MASTER_KEY
from tests.street import Driver

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def parked(lot: Lot, *, since: int = 0, until: int = 60) -> tuple[Driver, str]:
    """A driver who was in the lot, in minutes from noon on; the text of the stay's id."""
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, since), lot.goes_out(driver, until), minute=until + 1)
    await lot.apply()
    return driver, await stay_of(lot, driver)


async def stay_of(lot: Lot, driver: Driver) -> str:
    async with lot.pool.acquire() as conn:
        return to_text("stay", await conn.fetchval("select stay_id from stay where card_id = $1", driver.card_id))


async def session(lot: Lot, driver: Driver) -> str:
    async with tx(lot.pool) as conn:
        account_id = await conn.fetchval("select account_id from card where card_id = $1", driver.card_id)
        return await seed.session(conn, account_id)


async def staff(lot: Lot, role: Role, *, operator_id: int | None = None) -> str:
    async with tx(lot.pool) as conn:
        principal = Principal(operator_id or lot.operator_id, role, f"desk of {role}")
        return await operator_service.issue_token(conn, principal, now=lot.start)


async def ask(lot: Lot, who: str, token: str, stay: str, **headers: str) -> httpx.Response:
    sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await lot.client.get(f"/v1/{who}/stays/{stay}/receipt", headers=sent)


def receipt_in(answer: httpx.Response) -> Receipt:
    assert answer.status_code == 200, answer.text
    receipt = read(answer.content)
    assert verify(receipt).differences == []
    return receipt


async def audited(lot: Lot, stay: str) -> list[tuple[str, str]]:
    async with lot.pool.acquire() as conn:
        rows = await conn.fetch("select token_name, action from operator_audit where subject = $1", stay)
    return [(row["token_name"], row["action"]) for row in rows]


async def test_a_driver_gets_a_receipt_that_recomputes_and_names_its_events(lot: Lot) -> None:
    driver, stay = await parked(lot)
    answer = await ask(lot, "driver", await session(lot, driver), stay)
    calculation = receipt_in(answer).calculation
    assert answer.headers["content-type"] == "application/json"
    assert "no-store" in answer.headers["cache-control"]
    assert (calculation.stay_id, calculation.record.fee_minor) == (stay, 180)
    assert (calculation.operator.name, calculation.lot.name) == ("City Parking", "market-st")
    ends = [(end.gate_id, end.epoch, end.seq, end.local) for end in (calculation.entry, calculation.exit)]
    assert ends == [
        (lot.entry.text, lot.entry.epoch, 1, "2017-10-20T12:00:00-04:00"),
        (lot.exit.text, lot.exit.epoch, 1, "2017-10-20T13:00:00-04:00"),
    ]
    assert calculation.record.tariff_sha256 == lot.tariff_sha256.hex()
    # The same question gives the same bytes.
    assert (await ask(lot, "driver", await session(lot, driver), stay)).content == answer.content


async def test_a_receipt_says_nothing_about_whose_it_is(lot: Lot) -> None:
    driver, stay = await parked(lot)
    token = await session(lot, driver)
    async with lot.pool.acquire() as conn:
        account_id = await conn.fetchval("select account_id from card where card_id = $1", driver.card_id)
    secrets = ["4345550100", str(account_id), str(driver.card_id), to_text("acc", account_id)[4:]]
    secrets.append(to_text("card", driver.card_id)[5:])
    for accept in ("application/json", "text/html"):
        text = (await ask(lot, "driver", token, stay, Accept=accept)).text
        assert [secret for secret in secrets if secret in text] == []


async def test_somebody_elses_stay_is_answered_like_a_guessed_one(lot: Lot) -> None:
    _, stay = await parked(lot)
    async with tx(lot.pool) as conn:
        stranger = await seed.account(conn, lot.services.vault, phone="+14345550199")
        token = await seed.session(conn, stranger)
        elsewhere = await seed.operator(conn, lot.services.vault, name="Uptown")
    desk = await staff(lot, Role.ADMIN, operator_id=elsewhere)
    guessed = to_text("stay", new_id(new_bucket()))
    for who, caller in (("driver", token), ("operator", desk)):
        answers = [await ask(lot, who, caller, one) for one in (stay, guessed)]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 2
        assert answers[0].text == answers[1].text
    assert await audited(lot, stay) == []


async def test_staff_see_their_operators_receipts_and_every_look_is_on_record(lot: Lot) -> None:
    driver, stay = await parked(lot)
    for role in Role:
        assert receipt_in(await ask(lot, "operator", await staff(lot, role), stay)).calculation.stay_id == stay
    assert sorted(await audited(lot, stay)) == sorted((f"desk of {role}", "receipt_seen") for role in Role)
    # A driver's token is none of the operator's, and the other way round.
    assert (await ask(lot, "operator", await session(lot, driver), stay)).status_code == 401
    assert (await lot.client.get(f"/v1/operator/stays/{stay}/receipt")).status_code == 401


async def test_before_the_fee_there_is_no_receipt(lot: Lot) -> None:
    driver = await lot.driver()
    await lot.upload(lot.goes_in(driver, 0), minute=1)
    await lot.apply()
    stay, token, desk = await stay_of(lot, driver), await session(lot, driver), await staff(lot, Role.SUPPORT)
    for who, caller in (("driver", token), ("operator", desk)):
        answer = await ask(lot, who, caller, stay)
        assert (answer.status_code, answer.json()["code"]) == (409, "receipt_not_ready")
    async with tx(lot.pool) as conn:
        await conn.execute("update stay set state = 'abandoned', reason = 'missing_exit'")
    answer = await ask(lot, "driver", token, stay)
    assert (answer.status_code, answer.json()["code"]) == (409, "stay_without_fee")
    assert await audited(lot, stay) == []
    answer = await ask(lot, "driver", token, "stay_x")
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed_id")


async def test_the_form_and_the_language_are_what_the_client_wants(lot: Lot) -> None:
    driver, stay = await parked(lot)
    token = await session(lot, driver)
    wanted = [
        ({}, "application/json", ""),
        ({"Accept": "*/*"}, "application/json", ""),
        ({"Accept": "text/html;q=0.1, application/*"}, "application/json", ""),
        ({"Accept": BROWSER}, "text/html; charset=utf-8", "Parking receipt"),
        ({"Accept": "text/*", "Accept_Language": "zh-CN,en;q=0.5"}, "text/html; charset=utf-8", "停车收费凭据"),
        ({"Accept": "text/html", "Accept_Language": "de"}, "text/html; charset=utf-8", "Parking receipt"),
    ]
    for headers, media_type, words in wanted:
        answer = await ask(lot, "driver", token, stay, **headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type), headers
        assert words in answer.text
        assert "accept-language" in answer.headers["vary"].lower()
    page = await ask(lot, "driver", token, stay, Accept="text/html", Accept_Language="zh")
    assert page.headers["content-language"] == "zh"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    pdf = await ask(lot, "driver", token, stay, Accept="application/pdf")
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert pdf.headers["content-disposition"] == f'inline; filename="{stay}.pdf"'
    refused = await ask(lot, "driver", token, stay, Accept="image/png, text/html;q=0")
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


async def test_what_became_of_the_fee_is_told_and_fits_the_calculation(lot: Lot) -> None:
    driver, stay = await parked(lot)
    token = await session(lot, driver)
    calculation = receipt_in(await ask(lot, "driver", token, stay)).calculation_sha256
    assert receipt_in(await ask(lot, "driver", token, stay)).settlement.state == "pending"
    async with tx(lot.pool) as conn:
        await ledger.ensure_open_day(conn, lot.operator_id, lot.clock.now())
        await charges.raise_for_priced(conn, lot.buckets, now=lot.clock.now(), deduct_delay_seconds=60)
    due = receipt_in(await ask(lot, "driver", token, stay))
    assert (due.settlement.state, due.settlement.gross_minor, due.settlement.orders) == ("due", 180, [])
    await pay(lot, driver)
    paid = receipt_in(await ask(lot, "driver", token, stay))
    assert (paid.settlement.state, paid.settlement.paid_minor) == ("part_refunded", 180)
    assert [(order.order_no, order.surplus) for order in paid.settlement.orders] == [("ORDER0001", False)]
    assert [(refund.refund_no, refund.amount_minor) for refund in paid.settlement.refunds] == [("REFUND001", 80)]
    # The calculation does not change with what becomes of it.
    assert paid.calculation_sha256 == due.calculation_sha256 == calculation


async def pay(lot: Lot, driver: Driver) -> None:
    """The rows of a payment at the channel, and of a correction of 80 cents."""
    async with tx(lot.pool) as conn:
        bucket, now = bucket_of(driver.card_id), lot.clock.now()
        await conn.execute(
            "insert into attempt (bucket, charge_id, number, order_no, purpose, channel, payer_ref, amount_minor,"
            " request, state, owner, created_at, answered_at, channel_no, channel_paid_at)"
            " select bucket, charge_id, 1, 'ORDER0001', 'deduct', 'sim', 'p', net_minor, '', 'succeeded', 'w', $2, $2,"
            " 'n', $2 from charge where bucket = $1",
            bucket,
            now,
        )
        await conn.execute(
            "insert into refund (bucket, refund_no, charge_id, order_no, channel, reason, amount_minor, total_minor,"
            " currency, operator_id, card_id, state, created_at, answered_at)"
            " select bucket, 'REFUND001', charge_id, 'ORDER0001', 'sim', 'correction', 80, net_minor, currency,"
            " operator_id, card_id, 'succeeded', $2, $2 from charge where bucket = $1",
            bucket,
            now,
        )
        await conn.execute(
            "update charge set state = 'part_refunded', refunded_minor = 80, paid_at = $2 where bucket = $1",
            bucket,
            now,
        )


async def test_a_free_stay_has_a_receipt_of_nothing(lot: Lot) -> None:
    # The meter runs until 20:00.
    driver, stay = await parked(lot, since=481, until=540)
    receipt = receipt_in(await ask(lot, "driver", await session(lot, driver), stay))
    assert (receipt.calculation.record.fee_minor, receipt.settlement.state) == (0, "no_charge")


async def test_a_receipt_is_exported_by_command(lot: Lot, dsn: str, tmp_path: Path) -> None:
    _, stay = await parked(lot)
    out = tmp_path / "receipt.json"
    environment = {"PARKFLOW_DATABASE_URL": dsn, "PARKFLOW_DATA_DIR": str(tmp_path)}
    environment["PARKFLOW_MASTER_KEY"] = MASTER_KEY.hex()
    done = await asyncio.to_thread(run, "receipt", "export", "--stay", stay, "--out", str(out), **environment)
    assert done.returncode == 0, done.stderr
    assert read(out.read_bytes()).calculation.stay_id == stay
    assert json.loads(out.read_text("utf-8"))["calculation_sha256"] in done.stdout
    async with lot.pool.acquire() as conn:
        with pytest.raises(NotFound):
            await receipts.of_stay(conn, new_id(new_bucket()))
