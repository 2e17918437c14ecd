"""In which order doubtful scans are taken, and how long a stay between two of them lasted; pure.

A scan of a gate whose clock was in doubt lies between two instants. It is taken at the one that is best for the driver:
an entry at the latest, an exit at the earliest. So the exit of a short stay may come to lie before its entry; they are
put in order again where both may have been in order.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from parkflow.gate.unpaired import PairedScan

Event = tuple[int, int, int]
_MILLISECOND: Final = timedelta(milliseconds=1)


def instants(scans: Sequence[PairedScan]) -> Mapping[Event, datetime]:
    """When each scan is taken to have been, for the order; without doubt that is when it was."""
    at = {scan.event: scan.at for scan in scans}
    if not any(scan.is_doubtful for scan in scans):
        return at
    ordered = sorted(scans, key=lambda scan: (scan.at, scan.event))
    inside = False
    for place, scan in enumerate(ordered):
        if scan.direction == "entry":
            # One that was put before the exit ahead of it has left with it.
            inside = at[scan.event] == scan.at
            continue
        entry = None if inside else _crossed(scan, ordered[place + 1 : place + 3])
        if entry is not None:
            both = max(scan.first_at, entry.first_at)
            at[entry.event], at[scan.event] = both - _MILLISECOND, both
        inside = False
    return at


def span(entry: PairedScan, leaving: PairedScan) -> tuple[datetime, datetime]:
    """Beginning and end of the stay between two scans: the shortest that it may have been, never less than nothing."""
    if leaving.at >= entry.at:
        return entry.at, leaving.at
    both = max(leaving.first_at, entry.first_at)
    return both, both


def _crossed(leaving: PairedScan, following: Sequence[PairedScan]) -> PairedScan | None:
    """The entry right behind an exit that found nobody inside, if it may have been before it and has no other exit."""
    if not following or following[0].direction != "entry":
        return None
    entry = following[0]
    has_exit = len(following) > 1 and following[1].direction == "exit"
    return entry if entry.first_at <= leaving.last_at and not has_exit else None
