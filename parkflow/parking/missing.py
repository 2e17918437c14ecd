"""Telling drivers that no gate saw them leave: once per stay, in the transaction that notes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from parkflow.account import service as accounts
from parkflow.card import service as cards
from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.lot.rules import LotPolicy
from parkflow.notice import service as notices
from parkflow.notice.service import Message
from parkflow.vault import Vault

NOTICE_KIND: Final = "missing_exit"
TOLD_PER_PASS_MAX: Final = 500
_SQL: Final = load(__file__, "missing.sql")
_TEXT: Final = (
    "We are missing an exit: you came to {lot} at {since} and we have not seen you leave."
    " If you have left, ask the operator to enter when; if you are still there, nothing is wrong."
)


@dataclass(frozen=True, slots=True)
class MissingExit:
    """A stay whose driver is to be told."""

    bucket: int
    stay_id: int
    card_id: int
    entry_at: datetime
    lot_name: str
    time_zone: str


def text(*, lot_name: str, time_zone: str, entry_at: datetime) -> str:
    """What the driver is told, in the lot's own time."""
    return _TEXT.format(lot=lot_name, since=f"{entry_at.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M}")


async def tell(conn: Conn, vault: Vault, *, owner: str, buckets: Sequence[int], now: datetime) -> int:
    """Put a notice for each stay with a missing exit into the outbox that has none yet; how many."""
    hours = LotPolicy().missing_exit_hours
    rows = await conn.fetch(_SQL.missing_exits, owner, list(buckets), now, hours, TOLD_PER_PASS_MAX)
    stays = [MissingExit(**dict(row.items())) for row in rows]
    if not stays:
        return 0
    noted = await conn.fetch(_SQL.note_told, owner, now, [one.bucket for one in stays], [one.stay_id for one in stays])
    told = {row["stay_id"] for row in noted}
    fresh = [one for one in stays if one.stay_id in told]
    found = await cards.many(conn, sorted({one.card_id for one in fresh}))
    phones = await accounts.phones(conn, vault, [card.account_id for card in found.values()])
    messages = [
        Message(
            one.bucket,
            phones[found[one.card_id].account_id],
            text(lot_name=one.lot_name, time_zone=one.time_zone, entry_at=one.entry_at),
        )
        for one in fresh
    ]
    await notices.enqueue(conn, vault, messages, kind=NOTICE_KIND, now=now)
    return len(fresh)
