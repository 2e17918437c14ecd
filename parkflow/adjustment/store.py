"""Adjustments in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from parkflow.adjustment.rules import Plan
from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.parking.charged import CorrectedStay

_SQL: Final = load(__file__)


class Made(NamedTuple):
    """An adjustment that was made: what the stay came to after it, and the charge that it raised, if any."""

    number: int
    to_minor: int
    charge_id: int | None


async def adjustments(conn: Conn, stay: CorrectedStay) -> Sequence[Made]:
    """All of a stay, in order."""
    return [Made(**row) for row in await conn.fetch(_SQL.adjustments, stay.bucket, stay.stay_id)]


async def insert(conn: Conn, stay: CorrectedStay, plan: Plan, made: Made, now: datetime) -> None:
    await conn.execute(
        _SQL.insert_adjustment,
        stay.bucket,
        stay.stay_id,
        made.number,
        stay.operator_id,
        stay.card_id,
        stay.correction,
        stay.reason,
        plan.from_minor,
        plan.to_minor,
        plan.waived_minor,
        plan.raise_minor,
        plan.refunded_minor,
        plan.short_minor,
        made.charge_id,
        stay.currency,
        now,
    )
