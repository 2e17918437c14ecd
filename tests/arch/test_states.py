"""The state machines: complete, written down in the schema, and drawn in docs/states.md."""

import re
from collections import defaultdict
from enum import StrEnum

import asyncpg
import pytest

from parkflow.kit.machine import IllegalTransition, Machine
from parkflow.statesdoc import all_machines, as_markdown
from tests.arch.source import ROOT

MACHINES = all_machines()
every_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


@every_machine
def test_every_state_and_event_has_one_answer(machine: Machine[StrEnum, StrEnum]) -> None:
    event_kind = type(machine.events[0])
    assert set(machine.events) == set(event_kind), "an event that no state allows is no event"
    for state in machine.states:
        for event in event_kind:
            if (state, event) in machine.table:
                assert machine.next(state, event) == machine.table[state, event]
                assert not machine.is_final(state)
            else:
                with pytest.raises(IllegalTransition):
                    machine.next(state, event)


@every_machine
def test_every_state_can_be_reached_and_every_other_left(machine: Machine[StrEnum, StrEnum]) -> None:
    reached = {machine.initial}
    while more := {after for (state, _), after in machine.table.items() if state in reached} - reached:
        reached |= more
    assert reached == set(machine.states)
    leads_to_end = set(machine.final)
    while more := {state for (state, _), after in machine.table.items() if after in leads_to_end} - leads_to_end:
        leads_to_end |= more
    assert not machine.final or leads_to_end == set(machine.states)


def test_machines_have_names_of_their_own() -> None:
    names = [machine.name for machine in MACHINES]
    assert sorted(names) == sorted(set(names))


async def test_the_schema_allows_exactly_the_states_of_each_machine(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        checks = await conn.fetch(
            """select c.conrelid::regclass::text as table_name, pg_get_constraintdef(c.oid) as definition
                 from pg_constraint c
                 join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
                where c.contype = 'c' and a.attname = 'state'"""
        )
    finally:
        await conn.close()
    allowed: dict[str, set[str]] = defaultdict(set)
    for check in checks:
        allowed[check["table_name"]] |= set(re.findall(r"'(\w+)'::text", check["definition"]))
    assert {machine.name: set(machine.states) for machine in MACHINES} == dict(allowed)


def test_the_diagrams_are_current() -> None:
    written = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")
    assert written == as_markdown(MACHINES), "run `make docs`"
