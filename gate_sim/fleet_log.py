"""What a fleet did, kept apart from its journals: every event on the disk, every result, and the verdict over both."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from gate_sim.journal import Event

EventName = tuple[str, int, int]


@dataclass(slots=True)
class FleetLog:
    """One line per event in `path`, for ever; results by event in memory."""

    path: Path
    events: dict[EventName, Event] = field(default_factory=dict)
    results: dict[EventName, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    verdicts: Counter[str] = field(default_factory=Counter)
    _file: IO[str] | None = None

    def note_event(self, gate: str, event: Event) -> None:
        """What a gate has just written into its journal."""
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
        self._file.write(json.dumps([gate, event.epoch, event.seq, event.hash.hex(), event.text]) + "\n")
        self._file.flush()
        self.events[gate, event.epoch, event.seq] = event
        self.verdicts[str(event.content["verdict"])] += 1

    def note_results(self, gate: str, epoch: int, results: Mapping[int, str]) -> None:
        """One answer of the service that came through."""
        for seq, result in results.items():
            self.results[gate, epoch, seq][result] += 1

    def result_kinds(self) -> Counter[str]:
        """How often the service gave which result."""
        kinds: Counter[str] = Counter()
        for results in self.results.values():
            kinds.update(results)
        return kinds

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


@dataclass(frozen=True, slots=True)
class StayCounts:
    """Of one phone: how many stays both ends of which opened a barrier, and how many the service shows."""

    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class FleetVerdict:
    """The books of the gates against those of the service; all four numbers must be 0."""

    events_lost: int
    events_doubled: int
    stays_lost: int
    stays_doubled: int

    @property
    def is_good(self) -> bool:
        return not any((self.events_lost, self.events_doubled, self.stays_lost, self.stays_doubled))

    def as_json(self) -> dict[str, Any]:
        return {
            "events_lost": self.events_lost,
            "events_doubled": self.events_doubled,
            "stays_lost": self.stays_lost,
            "stays_doubled": self.stays_doubled,
        }


def judge_fleet(log: FleetLog, acked: Mapping[tuple[str, int], int], stays: Mapping[str, StayCounts]) -> FleetVerdict:
    """`acked` is what the service says to have of each (gate, epoch); `stays` is by phone.

    Lost is an event that the service does not have; doubled one that it took twice, or a code that it took under two
    names.
    """
    lost = [name for name in log.events if name[2] > acked.get(name[:2], 0)]
    twice = sum(results["accepted"] > 1 for results in log.results.values())
    codes: Counter[str] = Counter()
    for name, results in log.results.items():
        if results["accepted"] and name in log.events and "code" in log.events[name].content:
            codes[str(log.events[name].content["code"])] += 1
    return FleetVerdict(
        events_lost=len(lost),
        events_doubled=twice + sum(count - 1 for count in codes.values()),
        stays_lost=sum(max(0, counts.expected - counts.found) for counts in stays.values()),
        stays_doubled=sum(max(0, counts.found - counts.expected) for counts in stays.values()),
    )
