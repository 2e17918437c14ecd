"""What channels call: notifications of orders and refunds, answered with 200 only when their effect is committed."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from parkflow.api.context import Given, Now
from parkflow.channel.port import ChannelUnknown
from parkflow.charge import notification as charge_notification
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.refund import notification as refund_notification

router = APIRouter(prefix="/v1/channels", tags=["channel"])


@router.post("/{channel}/notifications")
async def take_notification(
    channel: Annotated[str, Path(max_length=32)], request: Request, services: Given, now: Now
) -> Response:
    """Take one signed notification; the same one again is answered alike and changes nothing."""
    if channel not in services.channels:
        raise ChannelUnknown
    body = await request.body()
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    event = services.channels[channel].parse_notification(
        headers=request.headers, target=raw_path.decode("latin-1"), body=body
    )

    async def work(conn: Conn) -> None:
        take = refund_notification.take_refund if event.kind == "refund" else charge_notification.take_order
        await take(conn, channel=channel, event=event, body=body, settings=services.settings, now=now)

    await in_tx(services.pool, work)
    return Response(status_code=200)
