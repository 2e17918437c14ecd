"""Operators and their people: made once, known by hashed tokens, every change of theirs on record."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import available_timezones

from parkflow import core
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import new_bucket, new_id
from parkflow.kit.money import currency_exponent
from parkflow.operator import store
from parkflow.operator.rules import Role
from parkflow.operator.store import NewOperator, Operator, Principal
from parkflow.vault import Vault

__all__ = ["Created", "NewOperator", "Operator", "Principal"]

ID_PREFIX: Final = "op"
TOKEN_PREFIX: Final = "pfop_"
NAME_LENGTH_MAX: Final = 120
ADMIN_TOKEN_NAME: Final = "admin"
# 256 random bits: a plain hash of them needs no salt and no slow function.
_TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"pfop_[A-Za-z0-9_-]{43}")


class OperatorNameTaken(ParkflowError):
    """An operator of this name exists; choose another name."""

    code = "operator_name_taken"
    status = 409


class InvalidOperator(ParkflowError):
    """An operator needs a name, an IANA time zone, an ISO 4217 currency and a deposit of 0 or more."""

    code = "invalid_operator"
    status = 422


class TokenNameTaken(ParkflowError):
    """A token of this name exists; choose another name (revoked tokens keep theirs)."""

    code = "token_name_taken"
    status = 409


class TokenRefused(ParkflowError):
    """A valid operator token is needed: `Authorization: Bearer pfop_…`."""

    code = "token_refused"
    status = 401


class Created(NamedTuple):
    """A new operator and its first token, which is shown only now."""

    operator_id: int
    admin_token: str


async def create(conn: Conn, vault: Vault, new: NewOperator, *, now: datetime) -> Created:
    """A new operator with its root key pair (the secret sealed) and an admin token.

    Raises InvalidOperator, OperatorNameTaken.
    """
    new = _checked(new)
    operator_id = new_id(new_bucket())
    root_secret = secrets.token_bytes(32)
    inserted = await store.insert_operator(
        conn,
        operator_id,
        new,
        minor_exponent=currency_exponent(new.currency),
        root_key=store.RootKey(
            core.public_key(root_secret), vault.seal_secret(_root_key_owner(operator_id), root_secret)
        ),
        now=now,
    )
    if not inserted:
        raise OperatorNameTaken(f"an operator named {new.name!r} exists; choose another name")
    token = await issue_token(conn, Principal(operator_id, Role.ADMIN, ADMIN_TOKEN_NAME), now=now)
    return Created(operator_id, token)


async def issue_token(conn: Conn, principal: Principal, *, now: datetime) -> str:
    """A new token that speaks for `principal`; only its hash is kept. Raises TokenNameTaken, InvalidOperator."""
    if not 1 <= len(principal.token_name) <= NAME_LENGTH_MAX:
        raise InvalidOperator(f"a token needs a name of 1 to {NAME_LENGTH_MAX} characters")
    token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    if not await store.insert_token(conn, _hash(token), principal, now):
        raise TokenNameTaken
    return token


async def revoke_token(conn: Conn, *, operator_id: int, name: str, now: datetime) -> None:
    """The token opens nothing from now on. Raises NotFound."""
    if not await store.revoke_token(conn, operator_id, name, now):
        raise NotFound(f"there is no token named {name!r}")


async def authenticate(conn: Conn, token: str) -> Principal:
    """Whom the token speaks for. Raises TokenRefused."""
    # The look-up is by the hash of 256 random bits, so its timing tells nothing about another token.
    principal = await store.principal(conn, _hash(token)) if _TOKEN.fullmatch(token) else None
    if principal is None:
        raise TokenRefused
    return principal


async def record(conn: Conn, by: Principal, *, action: str, subject: str, now: datetime) -> None:
    """Put a change or a look at personal data on record, in the caller's transaction."""
    await store.insert_audit(conn, by, audit_id=new_id(new_bucket()), action=action, subject=subject, now=now)


async def get(conn: Conn, operator_id: int) -> Operator:
    """Raises NotFound."""
    found = await store.operator(conn, operator_id)
    if found is None:
        raise NotFound("there is no such operator")
    return found


async def all_ids(conn: Conn) -> Sequence[int]:
    """Every operator, in a fixed order."""
    return await store.operator_ids(conn)


async def root_secret(conn: Conn, vault: Vault, operator_id: int) -> bytes:
    """The key that signs the operator's bundles."""
    return vault.open_secret(_root_key_owner(operator_id), await store.root_secret_sealed(conn, operator_id))


def _checked(new: NewOperator) -> NewOperator:
    name = new.name.strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise InvalidOperator(f"an operator needs a name of 1 to {NAME_LENGTH_MAX} characters")
    if new.time_zone not in available_timezones():
        raise InvalidOperator(f"{new.time_zone!r} is not an IANA time zone such as America/New_York")
    if new.deposit_minor < 0:
        raise InvalidOperator(f"a deposit is 0 or more minor units, not {new.deposit_minor}")
    return replace(new, name=name)


def _root_key_owner(operator_id: int) -> str:
    return f"operator/{operator_id}/root"


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
