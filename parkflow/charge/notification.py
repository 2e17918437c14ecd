"""Taking a channel's notification: once, together with its effect, or not at all."""

from datetime import datetime

from parkflow.channel import service as channels
from parkflow.channel.port import Event
from parkflow.charge import rules, settle
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import MalformedId, bucket_of
from parkflow.settings import Settings


async def take_order(conn: Conn, *, channel: str, event: Event, body: bytes, settings: Settings, now: datetime) -> bool:
    """What a verified notification says of an order; False when it was taken before. Raises NotFound."""
    try:
        bucket = bucket_of(rules.charge_of_order(event.result.number))
    except MalformedId as error:
        raise NotFound("there is no such order") from error
    if not await channels.note_notification(conn, bucket=bucket, channel=channel, event=event, body=body, now=now):
        return False
    settled = await settle.record_results(conn, [event.result], settings=settings, now=now)
    if settled.unmatched:
        # The transaction is undone, so the channel sends it again when we may know the order.
        raise NotFound("there is no such order")
    return True
