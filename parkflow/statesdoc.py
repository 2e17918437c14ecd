"""Draws the state machines of all domains: `python -m parkflow.statesdoc` prints what docs/states.md must contain."""

import importlib
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from parkflow.kit.machine import Machine

AnyMachine = Machine[StrEnum, StrEnum]

_INTRODUCTION = """# State machines

Made from the tables in `parkflow/*/state.py` by `make docs`; a test compares. What is not drawn is refused, in code and
in SQL. The first state is the initial one; an audited machine keeps each step in `state_change`.
"""


def all_machines() -> list[AnyMachine]:
    """The machines in every domain's `state.py`, by name."""
    found: dict[int, AnyMachine] = {}
    for path in sorted(Path(__file__).parent.glob("*/state.py")):
        module = importlib.import_module(f"parkflow.{path.parent.name}.state")
        found |= {id(value): value for value in vars(module).values() if isinstance(value, Machine)}
    return sorted(found.values(), key=lambda machine: machine.name)


def as_markdown(machines: Iterable[AnyMachine]) -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(_section(machine) for machine in machines)])


def _section(machine: AnyMachine) -> str:
    lines = [f"## {machine.name.replace('_', ' ')}{' (audited)' if machine.audited else ''}", "", "```mermaid"]
    lines += ["stateDiagram-v2", f"    [*] --> {machine.initial}"]
    lines += [f"    {state} --> {after} : {event}" for (state, event), after in machine.table.items()]
    lines += [f"    {state} --> [*]" for state in machine.states if machine.is_final(state)]
    return "\n".join([*lines, "```", ""])


if __name__ == "__main__":
    sys.stdout.write(as_markdown(all_machines()))
