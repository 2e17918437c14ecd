"""The operator's calls about lots at channels: apply for a lot, carry its standing on."""

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import BaseModel, ConfigDict, Field

from parkflow.api.context import Given, Now
from parkflow.api.operator_auth import Configurer
from parkflow.channel import onboarding
from parkflow.channel.port import ChannelUnknown
from parkflow.channel.state import LotChannelEvent, LotChannelState
from parkflow.db.tx import tx
from parkflow.kit.ids import from_text
from parkflow.lot import service as lots
from parkflow.operator import service as operators

router = APIRouter(prefix="/v1/operator/lots/{lot}/channels", tags=["operator"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Application(_Body):
    channel: Annotated[str, Field(max_length=40)]


class Step(_Body):
    event: LotChannelEvent


class LotChannelAnswer(BaseModel):
    channel: str
    state: LotChannelState


@router.post("", status_code=status.HTTP_201_CREATED)
async def apply_for_lot(lot: str, body: Application, services: Given, now: Now, caller: Configurer) -> LotChannelAnswer:
    """Ask a channel to take the lot on; asking again changes nothing."""
    if body.channel not in services.channels:
        raise ChannelUnknown(f"there is no channel {body.channel!r}")
    async with tx(services.pool) as conn:
        lot_id = from_text(lots.ID_PREFIX, lot)
        await lots.get(conn, operator_id=caller.operator_id, lot_id=lot_id)
        state = await onboarding.apply(conn, lot_id=lot_id, channel=body.channel, now=now)
        await operators.record(conn, caller, action="lot_channel_applied", subject=f"{lot} {body.channel}", now=now)
    return LotChannelAnswer(channel=body.channel, state=state)


@router.post("/{channel}/events")
async def move_lot(
    lot: str, channel: str, body: Step, services: Given, now: Now, caller: Configurer
) -> LotChannelAnswer:
    """Accept, start the test, go live, suspend, resume, close or reject."""
    async with tx(services.pool) as conn:
        lot_id = from_text(lots.ID_PREFIX, lot)
        await lots.get(conn, operator_id=caller.operator_id, lot_id=lot_id)
        state = await onboarding.move(
            conn, lot_id=lot_id, channel=channel, event=body.event, now=now, actor=caller.token_name
        )
        subject = f"{lot} {channel} {body.event}"
        await operators.record(conn, caller, action="lot_channel_moved", subject=subject, now=now)
    return LotChannelAnswer(channel=channel, state=state)
