"""Figures of the whole service for its operators' monitoring."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from parkflow.db.conn import Conn
from parkflow.db.sql import load

_SQL = load(__file__, "figures.sql")


class OpenArrears(NamedTuple):
    """Charges in arrears that are not cleared, of all operators with one currency."""

    charges: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Figures:
    """attempts, open_charges: counts by state. arrears: by currency. caught_up_to: None before any worker ran."""

    attempts: Mapping[str, int]
    open_charges: Mapping[str, int]
    arrears: Mapping[str, OpenArrears]
    caught_up_to: datetime | None


async def read(conn: Conn) -> Figures:
    """The figures now."""
    return Figures(
        attempts={row["state"]: row["attempts"] for row in await conn.fetch(_SQL.attempts_by_state)},
        open_charges={row["state"]: row["charges"] for row in await conn.fetch(_SQL.open_charges_by_state)},
        arrears={
            row["currency"]: OpenArrears(row["charges"], row["amount_minor"])
            for row in await conn.fetch(_SQL.open_arrears)
        },
        caught_up_to=await conn.fetchval(_SQL.caught_up_to),
    )
