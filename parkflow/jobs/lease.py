"""Leases: which worker may write the rows of which buckets, until when by real time.

A statement of a worker fences itself by joining `bucket_lease` on bucket, owner and epoch: once another worker has
taken a bucket, its rows no longer match. Business time plays no part, since simulations run it faster than life.
"""

import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.ids import BUCKETS

SQL = load(__file__)
ALL_BUCKETS: Final = tuple(range(BUCKETS))


def new_owner() -> str:
    """A name for one life of one worker process; a restarted worker is another owner."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"


@dataclass
class Leases:
    """What one worker holds. Its methods take a connection and the wall time, and belong to a transaction each.

    owner: unique to this life of the worker. lifetime: how long a lease lives unless it is renewed; renew at a third of
    it.
    """

    owner: str
    lifetime: timedelta
    _epochs: dict[int, int] = field(default_factory=dict)
    _valid_until: datetime | None = None

    @property
    def buckets(self) -> list[int]:
        """The buckets held, in order."""
        return sorted(self._epochs)

    @property
    def epochs(self) -> list[int]:
        """The epoch of each of `buckets`, in the same order."""
        return [self._epochs[bucket] for bucket in sorted(self._epochs)]

    def are_valid(self, wall: datetime) -> bool:
        """Whether the time of what is held has not run out; after that others may have taken it."""
        return self._valid_until is not None and wall < self._valid_until

    async def acquire(self, conn: Conn, wall: datetime, wanted: Iterable[int] = ALL_BUCKETS) -> list[int]:
        """Take what is free of the wanted buckets, also what a dead owner left; returns the new ones."""
        missing = [bucket for bucket in wanted if bucket not in self._epochs]
        if not missing:
            return []
        rows = await conn.fetch(SQL.acquire_leases, self.owner, missing, wall, wall + self.lifetime)
        taken = {int(row["bucket"]): int(row["epoch"]) for row in rows}
        if taken:
            # The earliest end of all counts: what was held before is not prolonged by this.
            self._valid_until = min(self._valid_until or wall + self.lifetime, wall + self.lifetime)
        self._epochs |= taken
        return sorted(taken)

    async def renew(self, conn: Conn, wall: datetime) -> list[int]:
        """Prolong what is held; returns (and forgets) the buckets that another owner has taken meanwhile."""
        if not self._epochs:
            return []
        held = self.buckets
        rows = await conn.fetch(SQL.renew_leases, self.owner, held, self.epochs, wall + self.lifetime)
        self._epochs = {int(row["bucket"]): int(row["epoch"]) for row in rows}
        self._valid_until = wall + self.lifetime if self._epochs else None
        return [bucket for bucket in held if bucket not in self._epochs]

    async def release(self, conn: Conn, wall: datetime, unwanted: Iterable[int] | None = None) -> None:
        """Give up buckets (all, unless told which), so that others can take them at once."""
        given = self.buckets if unwanted is None else [bucket for bucket in unwanted if bucket in self._epochs]
        if given:
            await conn.execute(SQL.release_leases, self.owner, given, wall)
        for bucket in given:
            del self._epochs[bucket]


async def count_live_owners(conn: Conn, wall: datetime) -> int:
    """How many workers hold at least one bucket."""
    return int(await conn.fetchval(SQL.count_live_owners, wall))


def fair_share(workers: int) -> int:
    """How many buckets each of so many workers may hold, so that together they can hold all."""
    assert workers > 0, f"a share is among at least one worker, not {workers}"
    return -(-BUCKETS // workers)
