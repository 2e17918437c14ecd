"""The outbox: a notice leaves once when the sender takes it, stays when not, and the default sender tells nothing."""

import logging

import pytest

from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.notice import service as notices
from parkflow.notice.sender import LogSender, NoticeNotSent
from parkflow.notice.service import Message
from parkflow.vault import Vault
from tests.edge import MASTER_KEY
from tests.held_clock import HeldClock

VAULT = Vault(MASTER_KEY)
ALL = range(1024)


class Carrier:
    """Takes notices to all but some recipients."""

    def __init__(self, *unreachable: str) -> None:
        self.unreachable = unreachable
        self.taken: list[tuple[str, str, str]] = []

    async def send(self, *, notice_id: int, kind: str, recipient: str, body: str) -> None:
        if recipient in self.unreachable:
            raise NoticeNotSent("out of reach")
        self.taken.append((kind, recipient, body))


async def put(pool: Pool, clock: HeldClock, *recipients: str) -> None:
    async with tx(pool) as conn:
        messages = [Message(bucket, recipient, f"to {recipient}") for bucket, recipient in enumerate(recipients)]
        await notices.enqueue(conn, VAULT, messages, kind="arrears", now=clock.now())


async def test_a_notice_leaves_once_and_one_that_cannot_stays(pool: Pool, clock: HeldClock) -> None:
    await put(pool, clock, "a", "b")
    carrier = Carrier("b")
    assert await notices.send_due(pool, VAULT, carrier, buckets=ALL, now=clock.now()) == 1
    assert carrier.taken == [("arrears", "a", "to a")]
    assert await notices.send_due(pool, VAULT, carrier, buckets=ALL, now=clock.now()) == 0
    carrier.unreachable = ()
    assert await notices.send_due(pool, VAULT, carrier, buckets=[0], now=clock.now()) == 0
    assert await notices.send_due(pool, VAULT, carrier, buckets=ALL, now=clock.now()) == 1
    assert carrier.taken[1:] == [("arrears", "b", "to b")]


async def test_a_notice_of_work_that_is_rolled_back_never_leaves(pool: Pool, clock: HeldClock) -> None:
    async def work_that_fails() -> None:
        async with tx(pool) as conn:
            await notices.enqueue(conn, VAULT, [Message(0, "a", "x")], kind="arrears", now=clock.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await work_that_fails()
    assert await notices.send_due(pool, VAULT, Carrier(), buckets=ALL, now=clock.now()) == 0


async def test_the_default_sender_says_that_a_notice_exists_and_no_more(
    pool: Pool, clock: HeldClock, caplog: pytest.LogCaptureFixture
) -> None:
    await put(pool, clock, "+14345550123")
    with caplog.at_level(logging.INFO):
        assert await notices.send_due(pool, VAULT, LogSender(), buckets=ALL, now=clock.now()) == 1
    assert "arrears" in caplog.text
    assert "4345550123" not in caplog.text


async def test_the_newest_notice_to_a_recipient_is_found_by_who_holds_the_key(pool: Pool, clock: HeldClock) -> None:
    for body in ("first", "second"):
        async with tx(pool) as conn:
            messages = [Message(7, "a", body), Message(7, "b", "other")]
            await notices.enqueue(conn, VAULT, messages, kind="one_time_code", now=clock.now())
        clock.advance(seconds=1)
    async with pool.acquire() as conn:
        found = await notices.newest_to(conn, VAULT, bucket=7, kind="one_time_code", recipient="a")
        none = await notices.newest_to(conn, VAULT, bucket=7, kind="arrears", recipient="a")
    assert found is not None
    assert (found.body, none) == ("second", None)
