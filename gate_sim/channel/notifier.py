"""Sends the channel's notifications: signed, in copies, late, and again until they are taken."""

import asyncio
import time
from typing import Final
from urllib.parse import urlsplit

from gate_sim.channel import wire
from gate_sim.channel.book import Book, Notification
from gate_sim.channel.clock import ChannelClock
from gate_sim.http import Client, NoAnswer

# The waits between the tries of one notification, after the published schedule of a large channel: 15 in 24 h.
RETRY_SECONDS: Final = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600)
_AT_ONCE: Final = 8
_POLL_SECONDS: Final = 0.02
_TIMEOUT_SECONDS: Final = 5


class Notifier:
    """Delivers what the book has promised to one address."""

    def __init__(self, book: Book, clock: ChannelClock, *, secret: bytes, url: str) -> None:
        self._book = book
        self._clock = clock
        self._secret = secret
        parts = urlsplit(url)
        self._service = f"{parts.scheme}://{parts.netloc}"
        self._target = parts.path

    async def run(self) -> None:
        """Until cancelled: send what is due, then look at the clock again."""
        async with Client(self._service) as client:
            while True:
                due = self._book.due_notifications(now_ms=self._clock.now_ms(), limit=_AT_ONCE)
                await asyncio.gather(*(self._send(client, note) for note in due))
                if not due:
                    await asyncio.sleep(_POLL_SECONDS)

    async def _send(self, client: Client, note: Notification) -> None:
        body = note.body.encode()
        at_ms = time.time_ns() // 1_000_000
        signature = wire.sign_request(self._secret, at_ms=at_ms, method="POST", target=self._target, body=body)
        headers = {
            "content-type": "application/json",
            wire.TIME_HEADER: str(at_ms),
            wire.SIGNATURE_HEADER: signature,
        }
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                taken = (await client.request("POST", self._target, body=body, headers=headers)).status == 200
        except (NoAnswer, TimeoutError):
            taken = False
        over = taken or note.tries >= len(RETRY_SECONDS)
        retry_ms = None if over else self._clock.now_ms() + 1000 * RETRY_SECONDS[note.tries]
        self._book.note_delivery(note, retry_ms=retry_ms)
