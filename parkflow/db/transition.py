"""Guarded state changes: compare-and-set updates whose allowed source states come from the machine's table.

This file composes its statements, the only one that does: table, key and column names differ by machine. Values are
always parameters, names are checked.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of
from parkflow.kit.machine import IllegalTransition, Machine

__all__ = ["Change", "IllegalTransition", "Step", "Subject", "subject", "transition", "transition_many"]

SQL = load(__file__)
StateT = TypeVar("StateT", bound=StrEnum)
EventT = TypeVar("EventT", bound=StrEnum)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_NO_COLUMNS: Final[Mapping[str, object]] = {}


@dataclass(frozen=True)
class Subject:
    """The row whose state changes.

    table: where it lives. key: the columns of its primary key and their values.
    bucket, subject_id: under which its history is kept in `state_change`.
    """

    table: str
    key: Mapping[str, object]
    bucket: int
    subject_id: int


@dataclass(frozen=True)
class Change:
    """What happens besides the state: when, why, by whom, and columns that are written in the same statement."""

    at: datetime
    reason: str | None = None
    actor: str | None = None
    columns: Mapping[str, object] = field(default_factory=lambda: _NO_COLUMNS)


@dataclass(frozen=True)
class Step:
    """A state change that happened to one row."""

    bucket: int
    subject_id: int
    from_state: str
    to_state: str


def subject(table: str, ident: int, *, id_column: str | None = None) -> Subject:
    """The row `ident` of an account-scoped table keyed by (bucket, `<table>_id`), or by another `id_column`."""
    bucket = bucket_of(ident)
    return Subject(table, {"bucket": bucket, id_column or f"{table}_id": ident}, bucket, ident)


async def transition(
    conn: Conn, machine: Machine[StateT, EventT], subject: Subject, event: EventT, change: Change
) -> Step:
    """Apply `event` to one row; an audited machine also gets its `state_change` row.

    Raises IllegalTransition when the row's state does not allow it (also when another worker was first), NotFound when
    there is no such row.
    """
    assert conn.is_in_transaction(), "a transition belongs to the transaction of its edge"
    sources, targets = _sources_and_targets(machine, event)
    args: list[Any] = [sources, targets, *subject.key.values(), *change.columns.values()]
    where = _assignments(subject.key, first=3)
    written = _assignments(change.columns, first=3 + len(subject.key))
    done = await conn.fetchrow(
        f"update {_checked(subject.table)} t set {', '.join(['state = m.target', *written])}"
        " from unnest($1::text[], $2::text[]) as m (source, target)"
        f" where {' and '.join(f't.{condition}' for condition in where)} and t.state = m.source"
        " returning m.source, m.target",
        *args,
    )
    if done is None:
        raise await _refusal(conn, machine, subject, event)
    step = Step(subject.bucket, subject.subject_id, done["source"], done["target"])
    await _record(conn, machine, [step], event, change)
    return step


async def transition_many(
    conn: Conn,
    machine: Machine[StateT, EventT],
    idents: Iterable[int],
    event: EventT,
    change: Change,
    *,
    id_column: str | None = None,
) -> list[Step]:
    """Apply `event` to many rows of the machine's own table, keyed by (bucket, `<machine>_id`), in one statement.

    Rows whose state does not allow it are left alone; the steps that happened are returned. `change.columns` are
    written alike to all rows.
    """
    assert conn.is_in_transaction(), "a transition belongs to the transaction of its edge"
    sources, targets = _sources_and_targets(machine, event)
    ordered = sorted(set(idents))
    id_name = _checked(id_column or f"{machine.name}_id")
    args: list[Any] = [sources, targets, [bucket_of(ident) for ident in ordered], ordered, *change.columns.values()]
    written = _assignments(change.columns, first=5)
    done = await conn.fetch(
        f"update {_checked(machine.name)} t set {', '.join(['state = m.target', *written])}"
        " from unnest($3::smallint[], $4::bigint[]) as k (bucket, ident),"
        " unnest($1::text[], $2::text[]) as m (source, target)"
        f" where t.bucket = k.bucket and t.{id_name} = k.ident and t.state = m.source"
        f" returning t.bucket, t.{id_name} as ident, m.source, m.target",
        *args,
    )
    steps = [Step(row["bucket"], row["ident"], row["source"], row["target"]) for row in done]
    await _record(conn, machine, steps, event, change)
    return steps


async def _record(
    conn: Conn, machine: Machine[StateT, EventT], steps: Sequence[Step], event: EventT, change: Change
) -> None:
    if not machine.audited or not steps:
        return
    await conn.execute(
        SQL.record_state_changes,
        machine.name,
        change.at,
        event.value,
        change.reason,
        change.actor,
        [step.bucket for step in steps],
        [step.subject_id for step in steps],
        [step.from_state for step in steps],
        [step.to_state for step in steps],
    )


async def _refusal(
    conn: Conn, machine: Machine[StateT, EventT], subject: Subject, event: EventT
) -> IllegalTransition | NotFound:
    where = " and ".join(_assignments(subject.key, first=1))
    state = await conn.fetchval(f"select state from {_checked(subject.table)} where {where}", *subject.key.values())
    if state is None:
        return NotFound(f"there is no such {machine.name.replace('_', ' ')}")
    return machine.refusal(state, event)


def _sources_and_targets(machine: Machine[StateT, EventT], event: EventT) -> tuple[list[str], list[str]]:
    steps = list(machine.steps(event))
    return [source.value for source, _ in steps], [target.value for _, target in steps]


def _assignments(columns: Mapping[str, object], *, first: int) -> list[str]:
    return [f"{_checked(name)} = ${number}" for number, name in enumerate(columns, start=first)]


def _checked(name: str) -> str:
    assert _NAME.fullmatch(name), f"not a name of a table or column: {name!r}"
    return name
