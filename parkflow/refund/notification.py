"""Taking a channel's notification of a refund: once, together with its effect, or not at all."""

from datetime import datetime

from parkflow.channel import service as channels
from parkflow.channel.port import Event
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound
from parkflow.refund import service
from parkflow.settings import Settings


async def take_refund(
    conn: Conn, *, channel: str, event: Event, body: bytes, settings: Settings, now: datetime
) -> bool:
    """What a verified notification says of a refund; False when it was taken before. Raises NotFound."""
    bucket = service.bucket_of_refund(event.result.number)
    if bucket is None:
        raise NotFound("there is no such refund")
    if not await channels.note_notification(conn, bucket=bucket, channel=channel, event=event, body=body, now=now):
        return False
    if await service.record_results(conn, [event.result], settings=settings, now=now):
        raise NotFound("there is no such refund")
    return True
