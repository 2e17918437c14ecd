"""I-14: every fee, computed again from its tariff version, is the fee that was charged."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from parkflow import core
from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.tariff import service as tariffs

_SQL: Final = load(__file__, "stays.sql")
# Some hundred thousand stays a second are priced; a page bounds memory, not time.
PAGE_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class _PricedStay:
    bucket: int
    stay_id: int
    tariff_sha256: bytes
    entry_at: datetime
    exit_at: datetime
    vehicle_class: str
    fee_minor: int
    history: Mapping[str, Any] | None
    """What its record says of the card's history before it."""


async def count_differing(conn: Conn) -> int:
    """How many priced stays have another fee than their tariff version gives them now."""
    differing, after = 0, (-1, -1)
    while page := [_PricedStay(**dict(row.items())) for row in await conn.fetch(_SQL.priced_stays, *after, PAGE_MAX)]:
        parsed = await tariffs.parsed(conn, sorted({stay.tariff_sha256 for stay in page}))
        differing += await asyncio.to_thread(_differing, page, parsed)
        after = (page[-1].bucket, page[-1].stay_id)
    return differing


def _differing(stays: Sequence[_PricedStay], parsed: Mapping[bytes, core.Tariff]) -> int:
    return sum(_fee_minor(stay, parsed) != stay.fee_minor for stay in stays)


def _fee_minor(stay: _PricedStay, parsed: Mapping[bytes, core.Tariff]) -> int | None:
    try:
        fee = parsed[stay.tariff_sha256].settle(
            entry_s=int(stay.entry_at.timestamp()),
            exit_s=int(stay.exit_at.timestamp()),
            vehicle_class=stay.vehicle_class,
            history=core.AccountHistory.from_json(json.dumps(stay.history or {})),
        )
    except core.TariffError:
        return None
    return fee.fee_minor
