"""Opening, confirming and ending agreements at their channel; the channel is asked outside every transaction."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parkflow.agreement import store
from parkflow.agreement.state import AGREEMENT, AgreementEvent, AgreementState
from parkflow.agreement.store import Agreement
from parkflow.channel.port import Agreement as ChannelAgreement
from parkflow.channel.port import Outcome
from parkflow.db.conn import Conn
from parkflow.db.transition import Change, IllegalTransition, Subject, transition
from parkflow.db.tx import tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of, new_id, to_text
from parkflow.services import Services

__all__ = ["Agreement", "AgreementState"]

ID_PREFIX: Final = "agr"
# How long a driver has to confirm at the channel.
PENDING_LIFETIME: Final = timedelta(hours=1)
# What the agreement is for, in the channel's words.
SCENE: Final = "parking"


class Payer(NamedTuple):
    """Through which channel, and as whom, an agreement is deducted; `ref` is None before it was confirmed."""

    channel: str
    ref: str | None
    state: AgreementState


async def open_agreement(services: Services, *, account_id: int, channel: str, now: datetime) -> Agreement:
    """Begin an agreement, or take up the one that the driver has begun; the driver confirms at its `sign_url`.

    It is stored before the channel hears of it, so that what a crash leaves is taken up under the same number.
    Raises ChannelUnknown, ChannelUnavailable.
    """
    partner = services.channels[channel]
    async with tx(services.pool) as conn:
        agreement = await store.pending(conn, account_id=account_id, channel=channel, now=now)
        if agreement is None:
            agreement = _new(account_id, channel, now=now)
            await store.insert(conn, agreement)
    if agreement.sign_url:
        return agreement
    sign_url = await partner.sign_agreement(
        external_no=agreement.external_no, user_ref=to_text("acc", account_id), scene=SCENE, return_url=""
    )
    async with tx(services.pool) as conn:
        await store.set_sign_url(conn, agreement.agreement_id, sign_url)
    return replace(agreement, sign_url=sign_url)


async def refresh(services: Services, *, account_id: int, agreement_id: int, now: datetime) -> Agreement:
    """The agreement; one that is pending is asked about at its channel first. Raises NotFound, ChannelUnavailable."""
    async with services.pool.acquire() as conn:
        agreement = await get(conn, account_id=account_id, agreement_id=agreement_id)
    if agreement.state is not AgreementState.PENDING:
        return agreement
    theirs = await services.channels[agreement.channel].query_agreement(agreement.external_no)
    async with tx(services.pool) as conn:
        current = await get(conn, account_id=account_id, agreement_id=agreement_id)
        event = _event(current, theirs, now=now)
        if event is None:
            return current
        change = Change(now, columns={"channel_ref": theirs.ref})
        await transition(conn, AGREEMENT, _subject(bucket_of(agreement_id), agreement_id), event, change)
        return await get(conn, account_id=account_id, agreement_id=agreement_id)


async def end(services: Services, *, bucket: int, agreement_id: int, now: datetime) -> bool:
    """End the agreement at its channel, then here; False when the channel has to be asked again later.

    Ending an ended one changes nothing. Raises NotFound.
    """
    async with services.pool.acquire() as conn:
        agreement = await store.one(conn, bucket, agreement_id)
    if agreement is None:
        raise NotFound("there is no such agreement")
    if not AGREEMENT.allows(agreement.state, AgreementEvent.END):
        return True
    assert agreement.channel_ref is not None, "a confirmed agreement has the channel's reference"
    result = await services.channels[agreement.channel].unsign(agreement.channel_ref)
    if result.outcome is not Outcome.SUCCEEDED:
        return False
    # Another worker may have been first, also at this very moment.
    with suppress(IllegalTransition):
        async with tx(services.pool) as conn:
            await transition(conn, AGREEMENT, _subject(bucket, agreement_id), AgreementEvent.END, Change(now))
    return True


async def get(conn: Conn, *, account_id: int, agreement_id: int) -> Agreement:
    """The driver's agreement. Raises NotFound, also for one of someone else."""
    agreement = await store.one(conn, bucket_of(agreement_id), agreement_id)
    if agreement is None or agreement.account_id != account_id:
        raise NotFound("there is no such agreement")
    return agreement


async def of_account(conn: Conn, account_id: int) -> list[Agreement]:
    """The driver's agreements, oldest first."""
    return await store.of_account(conn, account_id)


async def payers(conn: Conn, agreement_ids: Sequence[int]) -> dict[int, Payer]:
    """Channel and payer of each agreement, for deducts."""
    found = await store.many(conn, sorted(set(agreement_ids)))
    return {one.agreement_id: Payer(one.channel, one.channel_ref, one.state) for one in found}


def _event(agreement: Agreement, theirs: ChannelAgreement, *, now: datetime) -> AgreementEvent | None:
    """What the channel's word means for an agreement; a confirmation counts also when it comes late."""
    if agreement.state is not AgreementState.PENDING:
        return None
    if theirs.state == AgreementState.ACTIVE and theirs.ref:
        return AgreementEvent.CONFIRM
    return AgreementEvent.EXPIRE if now >= agreement.expires_at else None


def _subject(bucket: int, agreement_id: int) -> Subject:
    return Subject("agreement", {"bucket": bucket, "agreement_id": agreement_id}, bucket, agreement_id)


def _new(account_id: int, channel: str, *, now: datetime) -> Agreement:
    agreement_id = new_id(bucket_of(account_id))
    return Agreement(
        agreement_id=agreement_id,
        account_id=account_id,
        channel=channel,
        external_no=to_text(ID_PREFIX, agreement_id).replace("_", ""),
        channel_ref=None,
        state=AGREEMENT.initial,
        sign_url="",
        created_at=now,
        expires_at=now + PENDING_LIFETIME,
    )
