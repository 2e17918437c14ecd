"""Scans on their way into stays: which groups wait, and what became of each scan."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from parkflow.db.conn import Conn, Row
from parkflow.db.sql import load
from parkflow.gate.unpaired import Group, PairedScan, ScanKey

_SQL = load(__file__)


class Waiting(NamedTuple):
    """A group with entries that wait for the exit before them; the first of them was scanned at `since`."""

    group: Group
    since: datetime


async def groups_to_apply(conn: Conn, *, owner: str, buckets: Sequence[int], scans_max: int) -> list[Group]:
    """Groups with new scans in buckets that `owner` has leased, the oldest `scans_max` scans' groups."""
    found = await conn.fetch(_SQL.groups_to_apply, owner, list(buckets), scans_max)
    return [_group(row) for row in found]


async def groups_awaiting_exit(conn: Conn, *, owner: str, buckets: Sequence[int]) -> list[Waiting]:
    """Groups in which an entry was held because the exit before it may still come."""
    found = await conn.fetch(_SQL.groups_awaiting_exit, owner, list(buckets))
    return [Waiting(_group(row), row["since"]) for row in found]


async def of_groups(conn: Conn, groups: Sequence[Group]) -> list[PairedScan]:
    """All scans of the groups that belong to no stay yet; those of quarantined gates wait outside."""
    return [_scan(row) for row in await conn.fetch(_SQL.scans_of_groups, *_group_columns(groups))]


async def set_aside(conn: Conn, since: Mapping[Group, datetime]) -> list[PairedScan]:
    """Scans from an instant on (per group) that count for nothing, as far as was known."""
    groups = list(since)
    found = await conn.fetch(_SQL.scans_set_aside, *_group_columns(groups), [since[group] for group in groups])
    return [_scan(row) for row in found]


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


async def lots_with_lonely_exits(conn: Conn, buckets: Sequence[int]) -> set[int]:
    """Lots in which an exit waits for its entry."""
    return {row["lot_id"] for row in await conn.fetch(_SQL.lots_with_lonely_exits, list(buckets))}


async def groups_with_lonely_exits(
    conn: Conn, *, owner: str, buckets: Sequence[int], limits: Mapping[int, datetime]
) -> list[Group]:
    """Groups with exits that wait for their entry, per lot those scanned before its limit."""
    found = await conn.fetch(_SQL.groups_with_lonely_exits, owner, list(buckets), list(limits), list(limits.values()))
    return [_group(row) for row in found]


def _group(row: Row) -> Group:
    return Group(row[0], row[1], row[2])


def _scan(row: Row) -> PairedScan:
    # By position, as the queries name them: of no other rows are there so many.
    bucket, gate_id, epoch, seq, card_id, lot_id, *about = row.values()
    return PairedScan(ScanKey(bucket, gate_id, epoch, seq), Group(bucket, card_id, lot_id), *about)


def _group_columns(groups: Sequence[Group]) -> tuple[list[int], list[int], list[int]]:
    return [one.bucket for one in groups], [one.card_id for one in groups], [one.lot_id for one in groups]


def _columns(keys: Sequence[ScanKey]) -> tuple[list[int], list[int], list[int], list[int]]:
    return (
        [key.bucket for key in keys],
        [key.gate_id for key in keys],
        [key.epoch for key in keys],
        [key.seq for key in keys],
    )
