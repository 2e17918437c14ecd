"""Rows that tests need of rooms they do not test: an operator, drivers, agreements and cards in any state."""

from datetime import UTC, datetime, timedelta

from parkflow.account import service as accounts
from parkflow.channel import service as channels
from parkflow.db.conn import Conn
from parkflow.jobs.lease import Leases
from parkflow.kit.ids import bucket_of, new_bucket, new_id
from parkflow.operator import service as operators
from parkflow.operator.service import NewOperator
from parkflow.vault import Vault

NOW = datetime(2017, 10, 20, 16, tzinfo=UTC)
DEPOSIT_MINOR = 2_000
CHANNEL = "sim"
OWNER = "test-worker"


async def operator(conn: Conn, vault: Vault, *, name: str = "City Parking", deposit_minor: int = DEPOSIT_MINOR) -> int:
    """An operator in Charlottesville; returns its id."""
    new = NewOperator(name=name, time_zone="America/New_York", currency="USD", deposit_minor=deposit_minor)
    return (await operators.create(conn, vault, new, now=NOW)).operator_id


async def channel(conn: Conn, vault: Vault, *, base_url: str = "http://127.0.0.1:9") -> str:
    """The account at the simulated channel; by default one where nobody listens."""
    account = channels.NewAccount(CHANNEL, base_url, bytes(32), "America/New_York")
    await channels.register(conn, vault, account, now=NOW)
    return CHANNEL


async def account(conn: Conn, vault: Vault, *, phone: str = "+14345550100") -> int:
    """A driver's account in a random bucket; returns its id."""
    account_id = new_id(new_bucket())
    await conn.execute(
        "insert into account (bucket, account_id, phone_sealed, created_at) values ($1, $2, $3, $4)",
        bucket_of(account_id),
        account_id,
        vault.seal("account/phone", phone.encode()),
        NOW,
    )
    return account_id


async def agreement(conn: Conn, account_id: int, *, state: str = "active", channel: str = CHANNEL) -> int:
    """A driver's agreement at a channel that exists; returns its id."""
    agreement_id = new_id(bucket_of(account_id))
    await conn.execute(
        "insert into agreement (bucket, agreement_id, account_id, channel, external_no, channel_ref, state, sign_url,"
        " created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, 'http://127.0.0.1:9/confirm', $8, $8)",
        bucket_of(account_id),
        agreement_id,
        account_id,
        channel,
        f"agr{agreement_id:x}",
        f"ref{agreement_id:x}",
        state,
        NOW,
    )
    return agreement_id


async def card(
    conn: Conn,
    *,
    account_id: int,
    operator_id: int,
    agreement_id: int,
    state: str = "active",
    reason: str | None = None,
) -> int:
    """A driver's card; `reason` is one that freezes it. Returns its id."""
    card_id = new_id(bucket_of(account_id))
    await conn.execute(
        "insert into card (bucket, card_id, account_id, operator_id, agreement_id, state, deposit_minor, created_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        bucket_of(card_id),
        card_id,
        account_id,
        operator_id,
        agreement_id,
        state,
        DEPOSIT_MINOR,
        NOW,
    )
    if reason is not None:
        await conn.execute(
            "insert into card_freeze (bucket, card_id, reason, frozen_at) values ($1, $2, $3, $4)",
            bucket_of(card_id),
            card_id,
            reason,
            NOW,
        )
    return card_id


async def driver_with_card(
    conn: Conn, vault: Vault, *, operator_id: int, phone: str = "+14345550100", state: str = "active"
) -> tuple[int, int]:
    """An account with an active agreement at CHANNEL (which must exist) and a card; returns (account id, card id)."""
    account_id = await account(conn, vault, phone=phone)
    agreement_id = await agreement(conn, account_id)
    card_id = await card(conn, account_id=account_id, operator_id=operator_id, agreement_id=agreement_id, state=state)
    return account_id, card_id


async def session(conn: Conn, account_id: int, *, now: datetime = NOW) -> str:
    """A log-in of the account; returns its token."""
    return (await accounts.open_session(conn, account_id, lifetime_days=30, now=now)).token


async def leases(conn: Conn, wall: datetime, owner: str = OWNER) -> list[int]:
    """All buckets, leased by `owner` for an hour of real time; returns them."""
    return await Leases(owner, timedelta(hours=1)).acquire(conn, wall)
