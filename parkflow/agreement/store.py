"""The rows of agreements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parkflow.agreement.state import AgreementState
from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.kit.ids import bucket_of

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A driver's permission; `external_no` is our number for it, `channel_ref` the channel's, once confirmed.

    sign_url: where the driver confirms; empty until the channel has been told of the agreement.
    """

    agreement_id: int
    account_id: int
    channel: str
    external_no: str
    channel_ref: str | None
    state: AgreementState
    sign_url: str
    created_at: datetime
    expires_at: datetime


async def insert(conn: Conn, agreement: Agreement) -> None:
    await conn.execute(
        _SQL.insert,
        bucket_of(agreement.agreement_id),
        agreement.agreement_id,
        agreement.account_id,
        agreement.channel,
        agreement.external_no,
        agreement.state,
        agreement.created_at,
        agreement.expires_at,
    )


async def set_sign_url(conn: Conn, agreement_id: int, sign_url: str) -> None:
    await conn.execute(_SQL.set_sign_url, bucket_of(agreement_id), agreement_id, sign_url)


async def pending(conn: Conn, *, account_id: int, channel: str, now: datetime) -> Agreement | None:
    row = await conn.fetchrow(_SQL.pending, bucket_of(account_id), account_id, channel, now)
    return _agreement(row) if row else None


async def one(conn: Conn, bucket: int, agreement_id: int) -> Agreement | None:
    row = await conn.fetchrow(_SQL.one, bucket, agreement_id)
    return _agreement(row) if row else None


async def of_account(conn: Conn, account_id: int) -> list[Agreement]:
    return [_agreement(row) for row in await conn.fetch(_SQL.of_account, bucket_of(account_id), account_id)]


async def many(conn: Conn, agreement_ids: Sequence[int]) -> list[Agreement]:
    rows = await conn.fetch(_SQL.many, [bucket_of(ident) for ident in agreement_ids], agreement_ids)
    return [_agreement(row) for row in rows]


def _agreement(row: Row) -> Agreement:
    return Agreement(
        agreement_id=row["agreement_id"],
        account_id=row["account_id"],
        channel=row["channel"],
        external_no=row["external_no"],
        channel_ref=row["channel_ref"],
        state=AgreementState(row["state"]),
        sign_url=row["sign_url"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
