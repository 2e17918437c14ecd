"""Lots being taken on by channels, and whether money may be taken for them."""

from collections.abc import Sequence
from datetime import datetime

from parkflow.channel import store
from parkflow.channel.state import DEDUCTING, LOT_CHANNEL, LotChannelEvent, LotChannelState
from parkflow.db.conn import Conn
from parkflow.db.transition import Change, Subject, transition
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of, derived_id


async def apply(conn: Conn, *, lot_id: int, channel: str, now: datetime) -> LotChannelState:
    """Ask a channel to take a lot on; asking again changes nothing."""
    await store.insert_lot_channel(conn, lot_id=lot_id, channel=channel, state=LOT_CHANNEL.initial, now=now)
    return await read(conn, lot_id=lot_id, channel=channel)


async def read(conn: Conn, *, lot_id: int, channel: str) -> LotChannelState:
    """How the lot stands at the channel. Raises NotFound."""
    state = await store.read_lot_channel(conn, lot_id, channel)
    if state is None:
        raise NotFound(f"the lot has not applied at {channel}")
    return LotChannelState(state)


async def move(
    conn: Conn, *, lot_id: int, channel: str, event: LotChannelEvent, now: datetime, actor: str | None = None
) -> LotChannelState:
    """Carry the lot's standing on. Raises IllegalTransition, NotFound."""
    key = {"lot_id": lot_id, "channel": channel}
    bucket = bucket_of(lot_id)
    history = derived_id(bucket, lot_id.to_bytes(8, "big"), channel.encode())
    change = Change(now, reason=channel, actor=actor, columns={"updated_at": now})
    step = await transition(conn, LOT_CHANNEL, Subject("lot_channel", key, bucket, history), event, change)
    return LotChannelState(step.to_state)


async def deducting(conn: Conn, pairs: Sequence[tuple[int, str]]) -> set[tuple[int, str]]:
    """Of (lot, channel) pairs, those for which money may be taken: the lot is in testing or live there."""
    if not pairs:
        return set()
    states = await store.read_lot_channels(conn, pairs)
    return {pair for pair, state in states.items() if state in DEDUCTING}
