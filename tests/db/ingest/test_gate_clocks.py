"""A gate's clock is off: codes count by the time of the scan, and what is in doubt is kept with its bounds."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.db.ingest.conftest import Town
from tests.edge import client_of
from tests.gate_log import GateLog, code_of
from tests.street import results, send, signed

PHONE_TRUSTED_SECONDS = 60
GATE_TRUSTED_SECONDS = 30


@pytest.mark.parametrize("off_seconds", [0, 5, -5, 29, -29, 120, -120, 3_600, -3_600])
async def test_codes_count_by_the_scans_own_time_however_far_the_gates_clock_is_off(
    town: Town, off_seconds: int
) -> None:
    """The gate knows nothing of it; phones are right, so a code is as old as the gate's clock is ahead."""
    log, true_at, off = town.logs[0], datetime.now(UTC), timedelta(seconds=off_seconds)
    shown = code_of(town.driver, true_at - timedelta(seconds=1))
    scan = log.gate.scan(shown, true_at + off)
    async with client_of(town.services) as client:
        [result] = results(await _upload(client, log, scan, gate_at=datetime.now(UTC) + off))
    if abs(off_seconds) > PHONE_TRUSTED_SECONDS:
        # The gate let it through by a clock that nobody shares: refused here, and kept as evidence.
        late = "scan_from_future" if off_seconds > 0 else "code_from_future"
        assert result == f"rejected:{late}"
        assert await _scans(town) == []
        return
    assert result == "accepted"
    [(scanned_at, earliest_at, _)] = await _scans(town)
    assert abs(scanned_at - true_at - off) < timedelta(milliseconds=1)
    assert (earliest_at is None) == (abs(off_seconds) < GATE_TRUSTED_SECONDS)


async def test_a_passage_within_the_codes_leave_but_beyond_the_clocks_is_kept_with_its_bounds(town: Town) -> None:
    log, true_at, off = town.logs[0], datetime.now(UTC) - timedelta(seconds=50), timedelta(seconds=45)
    scan = log.gate.scan(code_of(town.driver, true_at), true_at + off)
    async with client_of(town.services) as client:
        assert results(await _upload(client, log, scan, gate_at=datetime.now(UTC) + off)) == ["accepted"]
    [(_, earliest_at, latest_at)] = await _scans(town)
    assert earliest_at is not None
    assert latest_at is not None
    assert earliest_at - timedelta(seconds=1) <= true_at <= latest_at + timedelta(seconds=1)


async def _upload(
    client: httpx.AsyncClient, log: GateLog, scan: dict[str, object], *, gate_at: datetime
) -> httpx.Response:
    """The request itself is signed at the true now: else it would be refused before anything is read."""
    clock = {"gate_at": gate_at.isoformat(), "last_sync_at": None, "offset_ms": 0}
    now = datetime.now(UTC)
    body = log.gate.batch(scan, at=now, clock=clock)
    return await send(client, signed(log.gate, "POST", "/scans", body, now), body)


async def _scans(town: Town) -> list[tuple[datetime, datetime | None, datetime | None]]:
    async with town.pool.acquire() as conn:
        rows = await conn.fetch("select scanned_at, earliest_at, latest_at from scan")
    return [tuple(row.values()) for row in rows]
