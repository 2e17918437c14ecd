"""CPU seconds of processes, from /proc: what a figure cost, however many others share the machine."""

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def of_tree(pid: int, *, without: Iterable[int] = ()) -> float:
    """Seconds of a process and of all below it, also of those that have ended and were waited for."""
    left_out = set(without)
    return sum(_ticks(one, with_children=one == pid) for one in _tree(pid) if one not in left_out) / _TICKS_PER_SECOND


def _tree(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, [])
    return found


def _ticks(pid: int, *, with_children: bool) -> int:
    fields = _fields(pid)
    # State, parent, …; utime, stime, cutime, cstime are fields 14 to 17 of the line, of which two are cut off.
    return sum(int(ticks) for ticks in fields[11 : 15 if with_children else 13])


def _fields(pid: int) -> list[str]:
    try:
        # The name of the program stands in parentheses and may hold anything.
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
