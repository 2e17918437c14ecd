"""Which version of a lot's tariff prices a stay, and how long what an account's stays have used is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# Gates upload for days after they were cut off, not for weeks; a stay that comes later finds fresh windows.
HISTORY_KEPT: Final = timedelta(days=35)


class VersionAt(StrEnum):
    """Which end of a stay chooses the version (PTL/1, S19)."""

    ENTRY = "entry"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A version that a lot has from `valid_from` on; it may itself be valid in [version_from, version_to) only."""

    lot_id: int
    valid_from: datetime
    sha256: bytes
    version_at: VersionAt
    version_from: datetime | None
    version_to: datetime | None

    def covers(self, at: datetime) -> bool:
        """Whether the version may be in force at this instant."""
        return (
            self.valid_from <= at
            and (self.version_from is None or self.version_from <= at)
            and (self.version_to is None or at < self.version_to)
        )


def version_for(assignments: Sequence[Assignment], *, entry_at: datetime, exit_at: datetime) -> bytes | None:
    """The hash of the version that prices the whole stay, of one lot's assignments in order of their beginning.

    The version in force at the exit does when it is one that counts back (`version_at: exit`), else the one in force at
    the entry. In force is the last one assigned of those that are valid at the instant.
    """
    leaving = _in_force(assignments, exit_at)
    if leaving is not None and leaving.version_at is VersionAt.EXIT:
        return leaving.sha256
    entering = _in_force(assignments, entry_at)
    return None if entering is None else entering.sha256


def versions_for(
    assignments: Sequence[Assignment], *, entry_at: datetime, exit_from: datetime, exit_to: datetime
) -> set[bytes]:
    """The hashes of all versions that price the stay for some exit in [exit_from, exit_to]."""
    bounds = [at for one in assignments for at in (one.valid_from, one.version_from, one.version_to) if at is not None]
    exits = [exit_from, *(at for at in bounds if exit_from < at <= exit_to)]
    chosen = {version_for(assignments, entry_at=entry_at, exit_at=exit_at) for exit_at in exits}
    return {sha256 for sha256 in chosen if sha256 is not None}


def _in_force(assignments: Sequence[Assignment], at: datetime) -> Assignment | None:
    for one in reversed(assignments):
        if one.covers(at):
            return one
    return None
