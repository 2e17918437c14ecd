"""Merchant accounts at channels, the registry that is made of them, and notifications taken once."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from parkflow.channel import store
from parkflow.channel.port import Channel, ChannelUnknown, Event
from parkflow.channel.simulated import SimulatedChannel
from parkflow.db.conn import Conn, Pool
from parkflow.kit.clock import Clock
from parkflow.kit.errors import ParkflowError
from parkflow.vault import Vault

SIMULATED: Final = "simulated"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class ChannelRefused(ParkflowError):
    """A channel account has a known kind, an http address without path, and an IANA time zone."""

    code = "channel_refused"
    status = 422


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A merchant account at a simulated channel; bills are of calendar days in `bill_time_zone`."""

    channel: str
    base_url: str
    secret: bytes
    bill_time_zone: str


class Channels(Mapping[str, Channel]):
    """The channels by name."""

    def __init__(self, channels: Mapping[str, Channel] | None = None) -> None:
        self._channels = dict(channels or {})

    def __getitem__(self, name: str) -> Channel:
        """Raises ChannelUnknown."""
        try:
            return self._channels[name]
        except KeyError:
            raise ChannelUnknown(f"there is no channel {name[:40]!r}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._channels

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __len__(self) -> int:
        return len(self._channels)

    async def aclose(self) -> None:
        """Close the connections of every channel."""
        for channel in self._channels.values():
            await channel.aclose()


async def register(conn: Conn, vault: Vault, account: NewAccount, *, now: datetime) -> None:
    """Record (or change) the account at a simulated channel; the secret is stored sealed. Raises ChannelRefused."""
    _check(account)
    sealed = vault.seal_secret(f"channel/{account.channel}", account.secret)
    if not await store.upsert_account(
        conn,
        channel=account.channel,
        kind=SIMULATED,
        base_url=account.base_url,
        sealed=(sealed, account.bill_time_zone),
        now=now,
    ):
        raise ChannelRefused(f"the name {account.channel!r} belongs to a channel of another kind")


async def load_channels(pool: Pool, vault: Vault, *, clock: Clock, timeout_seconds: int) -> Channels:
    """The adapters of all registered accounts. The caller closes them."""
    async with pool.acquire() as conn:
        rows = await store.read_accounts(conn)
    channels: dict[str, Channel] = {}
    for row in rows:
        assert row["kind"] == SIMULATED, f"no adapter speaks to channels of kind {row['kind']}"
        channels[row["channel"]] = SimulatedChannel(
            name=row["channel"],
            base_url=row["base_url"],
            secret=vault.open_secret(f"channel/{row['channel']}", row["secret_sealed"]),
            bill_time_zone=row["bill_time_zone"],
            clock=clock,
            timeout_seconds=timeout_seconds,
        )
    return Channels(channels)


async def note_notification(conn: Conn, *, bucket: int, channel: str, event: Event, body: bytes, now: datetime) -> bool:
    """Record a notification in the transaction of its effect; False when it was taken before."""
    return await store.insert_notification(
        conn,
        bucket=bucket,
        key=(channel, event.dedup_key),
        number=event.result.number,
        body_sha256=hashlib.sha256(body).digest(),
        now=now,
    )


def _check(account: NewAccount) -> None:
    if not _NAME.fullmatch(account.channel):
        raise ChannelRefused(f"the name {account.channel[:40]!r} is not 1 to 32 small letters, digits and _")
    url = urlsplit(account.base_url)
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query:
        raise ChannelRefused(f"the address {account.base_url!r} is not like http://127.0.0.1:9000")
    if account.bill_time_zone not in available_timezones():
        raise ChannelRefused(f"{account.bill_time_zone!r} is not an IANA time zone such as Asia/Shanghai")
