"""How a notice leaves: the protocol of senders, and the default that sends nothing."""

import logging
from typing import Protocol

_log = logging.getLogger("parkflow.notice")


class NoticeNotSent(Exception):
    """The sender could not take the notice now; it stays in the outbox."""


class Sender(Protocol):
    """Gives a notice to a carrier (SMS, template message). May be called again for a notice that was sent already."""

    async def send(self, *, notice_id: int, kind: str, recipient: str, body: str) -> None:
        """Raises NoticeNotSent."""


class LogSender:
    """Says in the log that a notice exists, and neither to whom nor what: both are personal."""

    async def send(self, *, notice_id: int, kind: str, recipient: str, body: str) -> None:
        _log.info("notice %d of kind %s is in the outbox", notice_id, kind)
