"""Merchant accounts at channels, the registry that is made of them, and notifications taken once."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from parkflow.channel import store
from parkflow.channel.port import Channel, ChannelUnknown, Event
from parkflow.channel.simulated import SimulatedChannel
from parkflow.db.conn import Conn, Pool
from parkflow.kit.clock import Clock
from parkflow.kit.errors import ParkflowError
from parkflow.vault import Vault

SIMULATED: Final = "simulated"


class ChannelRefused(ParkflowError):
    """A channel account has a known kind, an http address without path, and an IANA time zone."""

    code = "channel_refused"
    status = 422


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


async def register(
    conn: Conn, vault: Vault, *, channel: str, base_url: str, secret: bytes, bill_time_zone: str, now: datetime
) -> None:
    """Record (or change) the account at a simulated channel; the secret is stored sealed. Raises ChannelRefused."""
    _check_account(base_url, bill_time_zone)
    sealed = vault.seal_secret(f"channel/{channel}", secret)
    if not await store.upsert_account(
        conn, channel=channel, kind=SIMULATED, base_url=base_url, sealed=(sealed, bill_time_zone), now=now
    ):
        raise ChannelRefused(f"the name {channel!r} belongs to a channel of another kind")


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


async def note_notification(
    conn: Conn, *, bucket: int, channel: str, event: Event, body: bytes, now: datetime
) -> bool:
    """Record a notification in the transaction of its effect; False when it was taken before."""
    return await store.insert_notification(
        conn,
        bucket=bucket,
        key=(channel, event.dedup_key),
        number=event.result.number,
        body_sha256=hashlib.sha256(body).digest(),
        now=now,
    )


def _check_account(base_url: str, bill_time_zone: str) -> None:
    url = urlsplit(base_url)
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query:
        raise ChannelRefused(f"the address {base_url!r} is not like http://127.0.0.1:9000")
    try:
        ZoneInfo(bill_time_zone)
    except (ValueError, OSError) as error:
        raise ChannelRefused(f"{bill_time_zone!r} is not an IANA time zone such as Asia/Shanghai") from error
