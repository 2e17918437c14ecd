"""Operator calls: who the bearer token speaks for, and whether its role allows the call."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Header

from parkflow.api.context import Given
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Permission, require
from parkflow.operator.service import Principal

_SCHEME: Final = "bearer "


def caller_with(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """A dependency that gives the caller, or refuses one whose token or role does not allow `permission`."""

    async def caller(services: Given, authorization: Annotated[str, Header()] = "") -> Principal:
        scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :]
        if scheme.lower() != _SCHEME:
            raise operator_service.TokenRefused
        async with services.pool.acquire() as conn:
            principal = await operator_service.authenticate(conn, token)
        require(principal.role, permission)
        return principal

    return caller


Configurer = Annotated[Principal, Depends(caller_with(Permission.CONFIGURE))]
TokenKeeper = Annotated[Principal, Depends(caller_with(Permission.TOKENS))]
CardKeeper = Annotated[Principal, Depends(caller_with(Permission.FREEZE_CARDS))]
"""Handlers' parameters, named after what the caller may do."""
