"""Who of an operator's people may do what."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from parkflow.kit.errors import ParkflowError


class Role(StrEnum):
    """What a token is for."""

    ADMIN = "admin"
    SETTLEMENT = "settlement"
    SUPPORT = "support"


class Permission(StrEnum):
    """A kind of call that a role may or may not make."""

    CONFIGURE = "configure"  # lots, lanes, gates, tariffs, channels
    TOKENS = "tokens"
    FREEZE_CARDS = "freeze_cards"
    SEE_DAYS = "see_days"
    SEE_RECEIPTS = "see_receipts"
    SEE_SIGHTINGS = "see_sightings"  # with plates and tickets shortened
    SEE_PLATES = "see_plates"
    DECIDE_SIGHTINGS = "decide_sightings"
    DECIDE_STAYS = "decide_stays"


_ALLOWED: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.ADMIN: frozenset(Permission),
    Role.SETTLEMENT: frozenset({Permission.SEE_DAYS, Permission.SEE_RECEIPTS, Permission.SEE_SIGHTINGS}),
    Role.SUPPORT: frozenset(
        {
            Permission.FREEZE_CARDS,
            Permission.SEE_RECEIPTS,
            Permission.SEE_SIGHTINGS,
            Permission.SEE_PLATES,
            Permission.DECIDE_SIGHTINGS,
            Permission.DECIDE_STAYS,
        }
    ),
}


class RoleNotAllowed(ParkflowError):
    """The token's role does not allow this call."""

    code = "role_not_allowed"
    status = 403


def require(role: Role, permission: Permission) -> None:
    """Raises RoleNotAllowed, naming the roles that may, unless `role` has `permission`."""
    if permission in _ALLOWED[role]:
        return
    able = ", ".join(sorted(allowed for allowed, permissions in _ALLOWED.items() if permission in permissions))
    raise RoleNotAllowed(f"a {role} token may not {permission.replace('_', ' ')}; a token of role {able} may")
