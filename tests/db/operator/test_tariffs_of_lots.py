"""Tariff versions: published once per text, never changed, and in force for a lot from an instant on."""

import asyncio
from datetime import UTC, datetime, timedelta
from importlib import resources

import asyncpg
import pytest

from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import tx
from parkflow.kit.errors import NotFound
from parkflow.lot import service as lot_service
from parkflow.lot.service import NewLot
from parkflow.operator import service as operator_service
from parkflow.operator.service import NewOperator
from parkflow.tariff import service as tariff_service
from parkflow.vault import Vault
from tests.edge import MASTER_KEY

NOW = datetime(2017, 10, 20, 16, tzinfo=UTC)
TEXT = (resources.files("parkflow.tariff") / "library" / "us-charlottesville-2017.yaml").read_text("utf-8")
LATER_TEXT = TEXT.replace("min: 90", "min: 95")


async def operator(conn: Conn, name: str = "Downtown", currency: str = "USD") -> int:
    new = NewOperator(name, "America/New_York", currency, 2000)
    return (await operator_service.create(conn, Vault(MASTER_KEY), new, now=NOW)).operator_id


async def lot(conn: Conn, operator_id: int, time_zone: str = "America/New_York") -> int:
    new = NewLot("market-st", "Market Street", time_zone)
    return (await lot_service.create_lot(conn, operator_id=operator_id, new=new, now=NOW)).lot_id


async def test_the_same_text_is_the_same_version_and_another_text_the_next(conn: Conn) -> None:
    assert LATER_TEXT != TEXT
    owner = await operator(conn)
    first = await tariff_service.publish(conn, operator_id=owner, source=TEXT, now=NOW)
    again = await tariff_service.publish(conn, operator_id=owner, source=TEXT, now=NOW + timedelta(days=1))
    second = await tariff_service.publish(conn, operator_id=owner, source=LATER_TEXT, now=NOW)
    assert again == first
    assert (first.version, second.version) == (1, 2)
    assert (await tariff_service.parsed(conn, [first.sha256]))[first.sha256].sha256 == first.sha256.hex()


async def test_two_operators_publish_the_same_text_each_for_itself(conn: Conn) -> None:
    mine, theirs = await operator(conn), await operator(conn, "Uptown")
    published = await tariff_service.publish(conn, operator_id=mine, source=TEXT, now=NOW)
    with pytest.raises(NotFound):
        await tariff_service.get(conn, operator_id=theirs, sha256=published.sha256)
    assert await tariff_service.publish(conn, operator_id=theirs, source=TEXT, now=NOW) == published


async def test_a_broken_text_is_refused_in_one_line_and_another_currency_by_name(conn: Conn) -> None:
    owner = await operator(conn)
    with pytest.raises(tariff_service.TariffInvalid) as refusal:
        await tariff_service.publish(conn, operator_id=owner, source="ptl: 1\nid: [", now=NOW)
    assert "\n" not in refusal.value.message
    yuan = await operator(conn, "Hangzhou", "CNY")
    with pytest.raises(tariff_service.TariffDoesNotFit):
        await tariff_service.publish(conn, operator_id=yuan, source=TEXT, now=NOW)


async def test_a_text_with_a_template_is_kept_written_out(conn: Conn) -> None:
    owner = await operator(conn)
    source = "template: us-charlottesville-2017\nid: market-st\ntax: {rate_bp: 500, mode: added}\n"
    published = await tariff_service.publish(conn, operator_id=owner, source=source, now=NOW)
    kept = (await tariff_service.parsed(conn, [published.sha256]))[published.sha256]
    assert (kept.id, kept.sha256) == ("market-st", published.sha256.hex())


async def test_each_instant_has_the_version_that_was_in_force(conn: Conn) -> None:
    owner = await operator(conn)
    place = await lot(conn, owner)
    first = await tariff_service.publish(conn, operator_id=owner, source=TEXT, now=NOW)
    second = await tariff_service.publish(conn, operator_id=owner, source=LATER_TEXT, now=NOW)
    begin, change = NOW - timedelta(days=30), NOW + timedelta(days=1)
    for sha256, valid_from in ((first.sha256, begin), (second.sha256, change), (second.sha256, change)):
        await tariff_service.assign(
            conn, operator_id=owner, lot_id=place, sha256=sha256, valid_from=valid_from, now=NOW
        )
    ats = [begin - timedelta(seconds=1), begin, change - timedelta(seconds=1), change]
    in_force = await tariff_service.in_force(conn, [place] * 4, ats, ats)
    assert in_force == [None, first.sha256, first.sha256, second.sha256]


async def test_a_tariff_replaces_no_other_in_the_past_nor_at_the_same_instant(conn: Conn) -> None:
    owner = await operator(conn)
    place = await lot(conn, owner)
    first = await tariff_service.publish(conn, operator_id=owner, source=TEXT, now=NOW)
    second = await tariff_service.publish(conn, operator_id=owner, source=LATER_TEXT, now=NOW)

    async def assign(sha256: bytes, valid_from: datetime) -> None:
        await tariff_service.assign(
            conn, operator_id=owner, lot_id=place, sha256=sha256, valid_from=valid_from, now=NOW
        )

    await assign(first.sha256, NOW - timedelta(days=30))
    with pytest.raises(tariff_service.TariffInThePast):
        await assign(second.sha256, NOW - timedelta(days=1))
    with pytest.raises(tariff_service.TariffAlreadyAssigned):
        await assign(second.sha256, NOW - timedelta(days=30))


async def test_a_tariff_of_another_time_zone_does_not_fit_the_lot(conn: Conn) -> None:
    owner = await operator(conn)
    place = await lot(conn, owner, "America/Chicago")
    published = await tariff_service.publish(conn, operator_id=owner, source=TEXT, now=NOW)
    with pytest.raises(tariff_service.TariffDoesNotFit):
        await tariff_service.assign(
            conn, operator_id=owner, lot_id=place, sha256=published.sha256, valid_from=NOW, now=NOW
        )


async def test_a_version_can_be_neither_changed_nor_deleted_used_or_not(conn: Conn) -> None:
    owner = await operator(conn)
    place = await lot(conn, owner)
    used = await tariff_service.publish(conn, operator_id=owner, source=TEXT, now=NOW)
    await tariff_service.publish(conn, operator_id=owner, source=LATER_TEXT, now=NOW)
    await tariff_service.assign(conn, operator_id=owner, lot_id=place, sha256=used.sha256, valid_from=NOW, now=NOW)
    before = await conn.fetch("select * from tariff_version order by version")
    changes = [
        "update tariff_version set source = source || ' '",
        "update tariff_version set source = 'x', source_sha256 = sha256('x')",
        "update tariff_version set sha256 = sha256(sha256)",
        "update tariff_version set tariff_id = 'x'",
        "update tariff_version set version = version + 7",
        "update tariff_version set currency = 'EUR'",
        "update tariff_version set time_zone = 'Europe/Berlin'",
        "update tariff_version set version_at = 'exit'",
        "update tariff_version set valid_from = now()",
        "update tariff_version set valid_to = now()",
        "delete from tariff_version",
        "delete from tariff_version where version = 2",
    ]
    for change in changes:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with conn.transaction():
                await conn.execute(change)
    assert await conn.fetch("select * from tariff_version order by version") == before


async def test_a_future_assignment_is_cancelled_and_one_in_force_is_not(conn: Conn) -> None:
    owner = await operator(conn)
    place = await lot(conn, owner)
    first = await tariff_service.publish(conn, operator_id=owner, source=TEXT, now=NOW)
    second = await tariff_service.publish(conn, operator_id=owner, source=LATER_TEXT, now=NOW)
    begin, change = NOW - timedelta(days=30), NOW + timedelta(days=1)
    for sha256, valid_from in ((first.sha256, begin), (second.sha256, change)):
        await tariff_service.assign(
            conn, operator_id=owner, lot_id=place, sha256=sha256, valid_from=valid_from, now=NOW
        )

    async def timetable() -> list[tuple[datetime, int]]:
        lines = await tariff_service.timetable(conn, operator_id=owner, lot_id=place)
        return [(line.valid_from, line.version) for line in lines]

    async def cancel(valid_from: datetime, now: datetime = NOW) -> bytes:
        return await tariff_service.cancel(conn, operator_id=owner, lot_id=place, valid_from=valid_from, now=now)

    assert await timetable() == [(begin, 1), (change, 2)]
    for valid_from, now in ((begin, NOW), (change, change)):
        with pytest.raises(tariff_service.AssignmentInForce):
            await cancel(valid_from, now)
    with pytest.raises(NotFound):
        await cancel(change + timedelta(seconds=1))
    assert await cancel(change) == second.sha256
    assert await timetable() == [(begin, 1)]
    assert [version.version for version in await tariff_service.versions(conn, operator_id=owner)] == [2, 1]


@pytest.mark.parametrize("days", [1, -30], ids=["in the future", "the lot's first"])
async def test_of_two_assignments_at_the_same_instant_one_is_refused(pool: Pool, days: int) -> None:
    async with tx(pool) as conn:
        owner = await operator(conn)
        place = await lot(conn, owner)
        hashes = [
            (await tariff_service.publish(conn, operator_id=owner, source=text, now=NOW)).sha256
            for text in (TEXT, LATER_TEXT)
        ]

    async def assign(sha256: bytes) -> bytes | None:
        try:
            async with tx(pool) as conn:
                await tariff_service.assign(
                    conn,
                    operator_id=owner,
                    lot_id=place,
                    sha256=sha256,
                    valid_from=NOW + timedelta(days=days),
                    now=NOW,
                )
        except tariff_service.TariffAlreadyAssigned:
            return None
        return sha256

    results = await asyncio.gather(*(assign(sha256) for sha256 in hashes * 3))
    async with pool.acquire() as conn:
        [line] = await tariff_service.timetable(conn, operator_id=owner, lot_id=place)
    assert set(results) == {line.sha256, None}
    assert results.count(line.sha256) == 3


async def test_a_version_is_assigned_only_from_when_its_text_says_it_is_valid(conn: Conn) -> None:
    owner = await operator(conn)
    place = await lot(conn, owner)
    text = TEXT.replace("ptl: 1", 'ptl: 1\nvalid: {from: "2017-11-01", to: "2017-12-01"}\nversion_at: exit')
    version = await tariff_service.publish(conn, operator_id=owner, source=text, now=NOW)
    start, end = datetime(2017, 11, 1, 4, tzinfo=UTC), datetime(2017, 12, 1, 5, tzinfo=UTC)
    assert (version.version_at, version.valid_from, version.valid_to) == ("exit", start, end)
    for valid_from in (start - timedelta(seconds=1), end):
        with pytest.raises(tariff_service.TariffNotValidThen):
            await tariff_service.assign(
                conn, operator_id=owner, lot_id=place, sha256=version.sha256, valid_from=valid_from, now=NOW
            )
    await tariff_service.assign(conn, operator_id=owner, lot_id=place, sha256=version.sha256, valid_from=start, now=NOW)
    day = timedelta(days=1)
    entries, exits = [start - day, start - day, end - day], [start, start - timedelta(seconds=1), end]
    in_force = await tariff_service.in_force(conn, [place] * 3, entries, exits)
    assert in_force == [version.sha256, None, version.sha256]
