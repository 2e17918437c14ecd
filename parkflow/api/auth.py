"""Driver calls: which account the bearer token speaks for."""

from typing import Annotated, Final

from fastapi import Depends, Header

from parkflow.account import service as accounts
from parkflow.account.service import SessionRefused
from parkflow.api.context import Given, Now

_SCHEME: Final = "bearer "


async def session_token(authorization: Annotated[str, Header()] = "") -> str:
    """The token of the Authorization header. Raises SessionRefused."""
    scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :]
    if scheme.lower() != _SCHEME:
        raise SessionRefused
    return token


SessionToken = Annotated[str, Depends(session_token)]


async def driver_account(services: Given, now: Now, token: SessionToken) -> int:
    """The id of the account that calls. Raises SessionRefused."""
    async with services.pool.acquire() as conn:
        return await accounts.authenticate(conn, token, now=now)


Driver = Annotated[int, Depends(driver_account)]
"""A handler's parameter `account_id: Driver`; every look-up of the handler goes through it."""
