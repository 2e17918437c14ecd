"""Scans on their way into stays: which groups wait, and what became of each scan."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.gate.unpaired import Group, ScanKey, WaitingScan

_SQL = load(__file__)


class Waiting(NamedTuple):
    """A group with entries that wait for the exit before them; the first of them was scanned at `since`."""

    group: Group
    since: datetime


async def groups_to_apply(conn: Conn, *, owner: str, buckets: Sequence[int], scans_max: int) -> list[Group]:
    """Groups with new scans in buckets that `owner` has leased, the oldest `scans_max` scans' groups."""
    found = await conn.fetch(_SQL.groups_to_apply, owner, list(buckets), scans_max)
    return [Group(row["bucket"], row["card_id"], row["lot_id"]) for row in found]


async def groups_awaiting_exit(conn: Conn, *, owner: str, buckets: Sequence[int]) -> list[Waiting]:
    """Groups in which an entry was held because the exit before it may still come."""
    found = await conn.fetch(_SQL.groups_awaiting_exit, owner, list(buckets))
    return [Waiting(Group(row["bucket"], row["card_id"], row["lot_id"]), row["since"]) for row in found]


async def of_groups(conn: Conn, groups: Sequence[Group]) -> list[WaitingScan]:
    """All scans of the groups that belong to no stay yet; those of quarantined gates wait outside."""
    buckets, cards, lots = [g.bucket for g in groups], [g.card_id for g in groups], [g.lot_id for g in groups]
    return [
        WaitingScan(
            ScanKey(row["bucket"], row["gate_id"], row["epoch"], row["seq"]),
            Group(row["bucket"], row["card_id"], row["lot_id"]),
            row["operator_id"],
            row["direction"],
            row["scanned_at"],
            row["state"],
            row["reason"],
        )
        for row in await conn.fetch(_SQL.scans_of_groups, buckets, cards, lots)
    ]


async def mark_applied(conn: Conn, owner: str, scans: Sequence[tuple[ScanKey, int]]) -> None:
    """The scans belong to these stays now."""
    if scans:
        await conn.execute(_SQL.apply_scans, owner, *_columns([key for key, _ in scans]), [stay for _, stay in scans])


async def mark_held(conn: Conn, owner: str, scans: Sequence[tuple[ScanKey, str]]) -> None:
    """The scans wait, for these reasons."""
    if scans:
        await conn.execute(_SQL.hold_scans, owner, *_columns([key for key, _ in scans]), [why for _, why in scans])


async def mark_rejected(conn: Conn, owner: str, scans: Sequence[tuple[ScanKey, str]]) -> None:
    """The scans count for nothing, for these reasons."""
    if scans:
        await conn.execute(_SQL.reject_scans, owner, *_columns([key for key, _ in scans]), [why for _, why in scans])


async def reject_lonely_exits(conn: Conn, limits: Mapping[int, datetime]) -> int:
    """Give up exits without an entry, per lot those scanned before its limit; how many."""
    return len(await conn.fetch(_SQL.reject_lonely_exits, list(limits), list(limits.values())))


def _columns(keys: Sequence[ScanKey]) -> tuple[list[int], list[int], list[int], list[int]]:
    return (
        [key.bucket for key in keys],
        [key.gate_id for key in keys],
        [key.epoch for key in keys],
        [key.seq for key in keys],
    )
