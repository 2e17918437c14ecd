"""Handing stays on to be charged, and charged ones that were corrected to be adjusted: which, and noting that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from parkflow.db.conn import Conn
from parkflow.db.sql import load

_SQL: Final = load(__file__, "charged.sql")


class PricedStay(NamedTuple):
    """A stay whose fee is known and above nothing; the fields in the order of the query's columns."""

    bucket: int
    stay_id: int
    card_id: int
    operator_id: int
    lot_id: int
    fee_minor: int
    currency: str
    exit_at: datetime
    tariff_sha256: bytes


@dataclass(frozen=True, slots=True)
class CorrectedStay:
    """A stay whose charge does not follow it yet: what it costs now, and why it was corrected last.

    occurred_at: when it ended, or began where it has no end.
    """

    bucket: int
    stay_id: int
    card_id: int
    operator_id: int
    lot_id: int
    version: int
    correction: int
    reason: str
    fee_minor: int
    currency: str
    occurred_at: datetime
    tariff_sha256: bytes | None


async def to_charge(conn: Conn, buckets: Sequence[int], *, limit: int) -> list[PricedStay]:
    """Priced stays without a charge, oldest first."""
    return [PricedStay(*row.values()) for row in await conn.fetch(_SQL.to_charge, list(buckets), limit)]


async def note_charged(conn: Conn, stays: Sequence[PricedStay], *, now: datetime) -> frozenset[int]:
    """These stays get their charge in this transaction; the ids of those that cost what is said of them.

    The others were corrected meanwhile, and are read again in the next pass.
    """
    noted = await conn.fetch(
        _SQL.note_charged,
        [stay.bucket for stay in stays],
        [stay.stay_id for stay in stays],
        now,
        [stay.fee_minor for stay in stays],
    )
    return frozenset(row["stay_id"] for row in noted)


async def to_adjust(conn: Conn, *, owner: str, buckets: Sequence[int], limit: int) -> list[CorrectedStay]:
    """Charged stays that were corrected since, and have a fee (or none) again."""
    return [CorrectedStay(**row) for row in await conn.fetch(_SQL.to_adjust, owner, list(buckets), limit)]


async def note_adjusted(conn: Conn, stay: CorrectedStay) -> bool:
    """The money has followed the stay up to this correction; to be called in the transaction that moves it.

    False when it was corrected again meanwhile.
    """
    args = (stay.bucket, stay.stay_id, stay.correction, stay.version)
    return await conn.fetchval(_SQL.note_adjusted, *args) is not None
