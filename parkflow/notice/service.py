"""Writing notices into the outbox, sending them, and reading them back."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import tx
from parkflow.kit.ids import new_id
from parkflow.notice import store
from parkflow.notice.sender import NoticeNotSent, Sender
from parkflow.notice.store import SealedNotice
from parkflow.vault import Vault

SEND_BATCH_MAX: Final = 200
_SEARCH_MAX: Final = 500
_log = logging.getLogger("parkflow.notice")


@dataclass(frozen=True, slots=True)
class Message:
    """What shall be told to whom; `bucket` is that of the account or, before there is one, of the phone."""

    bucket: int
    recipient: str
    body: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice of the outbox, opened."""

    notice_id: int
    kind: str
    recipient: str
    body: str
    created_at: datetime


async def enqueue(conn: Conn, vault: Vault, messages: Sequence[Message], *, kind: str, now: datetime) -> list[int]:
    """Put notices of one kind into the outbox, in the transaction of what they tell of; returns their ids."""
    sealed = [_sealed(vault, message, kind=kind, now=now) for message in messages]
    if sealed:
        await store.insert(conn, sealed, kind=kind, now=now)
    return [notice.notice_id for notice in sealed]


async def send_due(pool: Pool, vault: Vault, sender: Sender, *, buckets: Sequence[int], now: datetime) -> int:
    """Give one batch of unsent notices to the sender; returns how many left.

    At least once: a crash between sending and the commit sends again. One that cannot be sent does not stop the others.
    """
    async with pool.acquire() as conn:
        batch = await store.unsent(conn, buckets, limit=SEND_BATCH_MAX)
    sent = [notice for notice in batch if await _send(vault, sender, notice)]
    if sent:
        async with tx(pool) as conn:
            await store.mark_sent(conn, sent, now=now)
    return len(sent)


async def newest_to(conn: Conn, vault: Vault, *, bucket: int, kind: str, recipient: str) -> Notice | None:
    """The newest notice of a kind to one recipient, sent or not; for those who hold the master key."""
    for sealed in await store.of_kind(conn, bucket, kind, limit=_SEARCH_MAX):
        notice = _opened(vault, sealed)
        if notice.recipient == recipient:
            return notice
    return None


async def _send(vault: Vault, sender: Sender, sealed: SealedNotice) -> bool:
    notice = _opened(vault, sealed)
    try:
        await sender.send(notice_id=notice.notice_id, kind=notice.kind, recipient=notice.recipient, body=notice.body)
    except NoticeNotSent as error:
        _log.warning("notice %d of kind %s stays in the outbox: %s", notice.notice_id, notice.kind, error)
        return False
    return True


def _sealed(vault: Vault, message: Message, *, kind: str, now: datetime) -> SealedNotice:
    return SealedNotice(
        bucket=message.bucket,
        notice_id=new_id(message.bucket),
        kind=kind,
        recipient_sealed=vault.seal("notice/recipient", message.recipient.encode()),
        body_sealed=vault.seal("notice/body", message.body.encode()),
        created_at=now,
    )


def _opened(vault: Vault, sealed: SealedNotice) -> Notice:
    return Notice(
        notice_id=sealed.notice_id,
        kind=sealed.kind,
        recipient=vault.open("notice/recipient", sealed.recipient_sealed).decode(),
        body=vault.open("notice/body", sealed.body_sealed).decode(),
        created_at=sealed.created_at,
    )
