"""Handing priced stays on to be charged: which are still to be, and noting that they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of

_SQL: Final = load(__file__, "charged.sql")


@dataclass(frozen=True, slots=True)
class PricedStay:
    """A stay whose fee is known and above nothing."""

    bucket: int
    stay_id: int
    card_id: int
    operator_id: int
    lot_id: int
    fee_minor: int
    currency: str
    exit_at: datetime
    tariff_sha256: bytes


async def to_charge(conn: Conn, buckets: Sequence[int], *, limit: int) -> list[PricedStay]:
    """Priced stays without a charge, oldest first."""
    return [PricedStay(**row) for row in await conn.fetch(_SQL.to_charge, list(buckets), limit)]


async def note_charged(conn: Conn, stay_ids: Sequence[int], *, now: datetime) -> None:
    """These stays have their charge; to be called in the transaction that raises it."""
    await conn.execute(_SQL.note_charged, [bucket_of(one) for one in stay_ids], list(stay_ids), now)
