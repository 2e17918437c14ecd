"""The drivers' text messages: read from the outbox of notices, which only a holder of the master key can."""

from dataclasses import dataclass

from parkflow.account import service as account_service
from parkflow.card import service as cards
from parkflow.db.sql import load
from parkflow.kit.ids import to_text
from parkflow.services import Services

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Every phone's messages."""

    services: Services

    async def read_one_time_code(self, phone_number: str) -> str:
        """The one-time code that was sent last to a number."""
        async with self.services.pool.acquire() as conn:
            notice = await account_service.newest_code_notice(conn, self.services.vault, phone=phone_number)
        assert notice is not None, f"no one-time code was sent to {phone_number}"
        return notice.body

    async def cards_told_of_arrears(self) -> set[str]:
        """The cards whose drivers got the message that they owe money, and still do."""
        async with self.services.pool.acquire() as conn:
            return {to_text(cards.ID_PREFIX, row["card_id"]) for row in await conn.fetch(_SQL.cards_in_arrears)}
