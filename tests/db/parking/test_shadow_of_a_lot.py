"""A shadow run over a lot's past stays: what was really charged beside what another version would charge."""

import asyncio
import contextlib
import io
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from parkflow import core
from parkflow.cli import main
from parkflow.db.tx import tx
from parkflow.kit.ids import to_text
from parkflow.lot import service as lot_service
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from parkflow.views import shadow
from tests.db.parking.closed import DAILY, close, furnish, price, tariff
from tests.db.parking.conftest import Lot
from tests.edge import MASTER_KEY

DAY = 24 * 60
FRIDAY = date(2017, 10, 20)
DEARER = tariff("t", of_plan=f"if: {{minutes: {{lt: 300}}}}, {DAILY}").replace("180", "200")


async def charged_lot(lot: Lot) -> tuple[int, list[int]]:
    """A lot with priced stays of two cards on Friday and one on Saturday; its id and the cards."""
    place = await furnish(lot, "b", tariff("t"))
    cards = [(await lot.driver()).card_id for _ in range(2)]
    await close(lot, cards[0], (place, 0, 60), (place, 100, 160), (place, 200, 260), (place, DAY, DAY + 60))
    await close(lot, cards[1], (place, 30, 90), (place, 100, 400))
    # Another lot's stays are no part of it.
    await close(lot, cards[1], (lot.lot_id, 0, 60))
    assert await price(lot) == 7
    return place, cards


async def compared(lot: Lot, place: int, text: str, last: date = FRIDAY, **more: Any) -> shadow.ShadowRun:
    span = shadow.Span(lot.operator_id, place, FRIDAY, last)
    return await shadow.run(lot.pool, span, core.Tariff.load(text), **more)


async def test_the_version_that_charged_changes_nothing(lot: Lot) -> None:
    place, _ = await charged_lot(lot)
    done = await compared(lot, place, tariff("t"), date(2017, 10, 21))
    sums = done.comparison.sums
    assert (sums.stays, sums.same, sums.difference_minor, sums.before_minor) == (6, 6, 0, 5 * 180 + 5 * 180)
    assert done.complete


async def test_caps_of_a_card_and_reasons_are_counted_over_the_days_asked_for(lot: Lot) -> None:
    place, _ = await charged_lot(lot)
    heard: list[int] = []
    comparison = (await compared(lot, place, DEARER, on_page=heard.append)).comparison
    # 200 + 200 + 0 for one card, 200 for the other, whose long stay has no price.
    sums = comparison.sums
    assert (sums.stays, sums.before_minor, sums.after_minor, sums.more, sums.less) == (4, 720, 600, 3, 1)
    assert comparison.unpriced_after.counts == {"no_plan": 1}
    assert heard == [5]
    saturday = (await compared(lot, place, DEARER, date(2017, 10, 21))).comparison
    assert saturday.sums.after_minor == 800


async def test_what_a_charge_counted_is_counted_again(lot: Lot) -> None:
    place, cards = await charged_lot(lot)
    covered = [[int(lot.at(0).timestamp()), int(lot.at(60).timestamp())]]
    async with tx(lot.pool) as conn:
        await conn.execute(
            "update stay set fee_minor = 0, fee_lines = fee_lines || $2 where entry_at = $1 and card_id = $3",
            lot.at(0),
            {"covered": covered},
            cards[0],
        )
    comparison = (await compared(lot, place, tariff("t"))).comparison
    assert (comparison.sums.same, comparison.sums.difference_minor) == (5, 0)


async def test_a_call_looks_at_so_many_stays_and_says_when_there_are_more(lot: Lot) -> None:
    place, _ = await charged_lot(lot)
    for stays_max, complete in ((4, False), (5, True), (0, False)):
        done = await compared(lot, place, tariff("t"), stays_max=stays_max)
        assert (done.comparison.stays, done.complete) == (stays_max, complete)


@pytest.mark.parametrize(
    ("text", "days", "words"),
    [
        (tariff("t"), (FRIDAY, date(2017, 10, 19)), "before the first"),
        (tariff("t").replace("America/New_York", "Europe/Berlin"), (FRIDAY, FRIDAY), "time zone"),
        (tariff("t").replace("USD", "EUR"), (FRIDAY, FRIDAY), "currency"),
    ],
)
async def test_what_does_not_compare_is_refused(lot: Lot, text: str, days: tuple[date, date], words: str) -> None:
    with pytest.raises(shadow.ShadowRefused, match=words):
        await shadow.run(lot.pool, shadow.Span(lot.operator_id, lot.lot_id, *days), core.Tariff.load(text))


async def test_an_operator_sees_versions_times_and_a_shadow_run_and_takes_back_what_is_to_come(lot: Lot) -> None:
    place, _ = await charged_lot(lot)
    async with tx(lot.pool) as conn:
        token = await operator_service.issue_token(conn, Principal(lot.operator_id, Role.ADMIN, "desk"), now=lot.start)
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/v1/operator/lots/{to_text(lot_service.ID_PREFIX, place)}/tariff"

    async def call(method: str, where: str, status: int, **more: Any) -> Any:
        answer = await lot.client.request(method, where, headers=headers, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    published = await call("POST", "/v1/operator/tariffs", 201, json={"source": DEARER})
    versions = await call("GET", "/v1/operator/tariffs", 200)
    assert [(one["tariff_id"], one["version"], one["version_at"]) for one in versions if one["tariff_id"] == "t"] == [
        ("t", 2, "entry"),
        ("t", 1, "entry"),
    ]
    days = {"first": "2017-10-20", "last": "2017-10-20"}
    by_text = await call("POST", f"{path}/shadow", 200, json={"source": DEARER, **days})
    by_hash = await call("POST", f"{path}/shadow", 200, json={"sha256": published["sha256"], **days})
    assert by_text == by_hash
    assert (by_text["compared"]["difference_minor"], by_text["complete"]) == (-120, True)
    assert by_text["unpriced_after"][0]["code"] == "no_plan"
    assert (await call("POST", f"{path}/shadow", 422, json=days))["code"] == "one_tariff"

    change = lot.at(DAY).isoformat()
    await call("PUT", path, 200, json={"sha256": published["sha256"], "valid_from": change})
    assert [line["version"] for line in await call("GET", path, 200)] == [1, 2]
    await call("DELETE", path, 204, params={"valid_from": change})
    lines = await call("GET", path, 200)
    assert [line["version"] for line in lines] == [1]
    refused = await call("DELETE", path, 409, params={"valid_from": lines[0]["valid_from"]})
    assert refused["code"] == "assignment_in_force"
    async with lot.pool.acquire() as conn:
        actions = await conn.fetchval("select array_agg(action order by action) from operator_audit")
    assert actions == ["tariff_assigned", "tariff_cancelled", "tariff_published"]


async def test_the_command_reads_the_database_and_a_check_fails_for_what_has_no_price(
    lot: Lot, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = await charged_lot(lot)
    file = tmp_path / "new.yaml"
    file.write_text(DEARER)
    monkeypatch.setenv("PARKFLOW_DATABASE_URL", dsn)
    monkeypatch.setenv("PARKFLOW_MASTER_KEY", MASTER_KEY.hex())
    monkeypatch.setenv("PARKFLOW_DATA_DIR", str(tmp_path / "home"))
    ids = (
        *("--operator", to_text(operator_service.ID_PREFIX, lot.operator_id)),
        *("--lot", to_text(lot_service.ID_PREFIX, place)),
    )
    arguments = ["tariff", "shadow", *ids, "--tariff", str(file), "--from", "2017-10-20", "--to", "2017-10-20"]
    code, text = await asyncio.to_thread(_run, arguments)
    assert code == 0
    assert "5 stays, 4 priced both ways, in USD" in text
    assert text.splitlines()[-1] == "1 of 5 past stays could not be priced by this version"
    code, text = await asyncio.to_thread(_run, [*arguments, "--json"])
    assert (code, json.loads(text)["compared"]["difference_minor"]) == (0, -120)
    code, text = await asyncio.to_thread(_run, [*arguments, "--check"])
    assert (code, text) == (1, "1 of 5 past stays could not be priced by this version\n")


def _run(arguments: Sequence[str]) -> tuple[int, str]:
    """Exit code and standard output of the command."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            main(arguments)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()
