"""The rows of operators, their tokens and their audit."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.operator.rules import Role

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator; `deposit_minor` is in `currency`, whose minor unit has `minor_exponent` decimals."""

    operator_id: int
    name: str
    time_zone: str
    currency: str
    minor_exponent: int
    day_turn: time
    deposit_minor: int
    policy: dict[str, Any]
    root_public_key: bytes


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token speaks for."""

    operator_id: int
    role: Role
    token_name: str


@dataclass(frozen=True, slots=True)
class RootKey:
    """The key pair that signs an operator's bundles, as it is stored."""

    public_key: bytes
    secret_sealed: bytes


@dataclass(frozen=True, slots=True)
class NewOperator:
    """What an operator begins with."""

    name: str
    time_zone: str
    currency: str
    deposit_minor: int
    day_turn: time = time(4)


async def insert_operator(
    conn: Conn,
    operator_id: int,
    new: NewOperator,
    *,
    minor_exponent: int,
    root_key: RootKey,
    now: datetime,
) -> bool:
    """Whether the operator is new; False when its name is taken."""
    inserted = await conn.fetchval(
        _SQL.insert_operator,
        operator_id,
        new.name,
        new.time_zone,
        new.currency,
        minor_exponent,
        new.day_turn,
        new.deposit_minor,
        root_key.public_key,
        root_key.secret_sealed,
        now,
    )
    return inserted is not None


async def operator(conn: Conn, operator_id: int) -> Operator | None:
    found = await conn.fetchrow(_SQL.operator_row, operator_id)
    return Operator(**dict(found.items())) if found else None


async def operator_ids(conn: Conn) -> list[int]:
    return [found["operator_id"] for found in await conn.fetch(_SQL.operator_ids)]


async def root_secret_sealed(conn: Conn, operator_id: int) -> bytes:
    sealed: bytes = await conn.fetchval(_SQL.root_secret, operator_id)
    return sealed


async def insert_token(conn: Conn, token_hash: bytes, principal: Principal, now: datetime) -> bool:
    """Whether the token is new; False when the operator has one of that name."""
    args = (token_hash, principal.operator_id, principal.role, principal.token_name, now)
    return await conn.fetchval(_SQL.insert_token, *args) is not None


async def principal(conn: Conn, token_hash: bytes) -> Principal | None:
    found = await conn.fetchrow(_SQL.token_row, token_hash)
    return Principal(found["operator_id"], Role(found["role"]), found["name"]) if found else None


async def revoke_token(conn: Conn, operator_id: int, name: str, now: datetime) -> bool:
    return await conn.fetchval(_SQL.revoke_token, operator_id, name, now) is not None


async def insert_audit(conn: Conn, by: Principal, *, audit_id: int, action: str, subject: str, now: datetime) -> None:
    await conn.execute(_SQL.insert_audit, by.operator_id, audit_id, now, by.token_name, by.role, action, subject)
