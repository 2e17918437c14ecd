"""What a worker's steps may have to do, in one look over all domains."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from parkflow.db.conn import Conn
from parkflow.db.sql import load

_SQL = load(__file__, "due.sql")
STEPS: Final = frozenset(
    {
        "match_sightings",
        "apply",
        "charge",
        "adjust",
        "deduct",
        "query",
        "refund",
        "clear_arrears",
        "advance_returns",
        "send_notices",
    }
)
"""The steps that the look knows."""


async def due_steps(conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime) -> frozenset[str]:
    """Those of STEPS that may find something in these buckets; the others would find nothing."""
    row = await conn.fetchrow(_SQL.due_steps, owner, buckets, now)
    assert row is not None, "a select of columns has one row"
    return frozenset(step for step in STEPS if row[step])
