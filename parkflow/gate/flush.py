"""A flush: the uploads that are kept in one transaction, as columns over all their scans."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from parkflow import core
from parkflow.gate.rules import ClockDoubt, bounds_ms, clock_doubt
from parkflow.gate.store import Gate

_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class EventKey(NamedTuple):
    """What names an event for ever; its bucket is the gate's."""

    bucket: int
    gate_id: int
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Received:
    """An authenticated gate's upload and when it arrived."""

    gate: Gate
    upload: core.Upload
    received_at: datetime

    @property
    def received_at_ms(self) -> int:
        """Unix milliseconds."""
        return (self.received_at - _UNIX) // _MILLISECOND

    @property
    def age_ms(self) -> int:
        """How long ago its newest scan was made."""
        return self.received_at_ms - self.upload.newest_at_ms

    def order(self) -> tuple[int, int, int, int]:
        """By the keys of its events."""
        return self.gate.bucket, self.gate.gate_id, self.upload.epoch, self.upload.first_seq


@dataclass(frozen=True)
class Flush:
    """Uploads in the order of their events' keys, and the core's verdicts as columns; a row is a scan."""

    received: Sequence[Received]
    judged: core.Judged
    spans: Sequence[range] = field(init=False)
    _doubts: Sequence[ClockDoubt | None] = field(init=False)

    def __post_init__(self) -> None:
        ends = [0]
        for one in self.received:
            ends.append(ends[-1] + one.upload.count)
        object.__setattr__(self, "spans", [range(*pair) for pair in pairwise(ends)])
        object.__setattr__(self, "_doubts", [_doubt(one) for one in self.received])

    @property
    def count(self) -> int:
        """How many scans."""
        return self.spans[-1].stop

    def gate(self, row: int) -> Gate:
        """Whose scan it is."""
        return self.received[self.judged.upload[row]].gate

    def key(self, row: int) -> EventKey:
        """The key of a row's event."""
        one = self.received[self.judged.upload[row]]
        return EventKey(one.gate.bucket, one.gate.gate_id, one.upload.epoch, self.judged.seq[row])

    def fresh(self, old: Set[int]) -> list[bool] | None:
        """Which rows are new, given those that are not; None: all."""
        return [row not in old for row in range(self.count)] if old else None

    @property
    def has_doubts(self) -> bool:
        """Whether some gate's clock is not trusted."""
        return any(self._doubts)

    def doubts_ms(self, rows: Sequence[int]) -> tuple[list[int | None], list[int | None]]:
        """Between which instants each scan really was; nothing where the gate's clock is trusted."""
        if not self.has_doubts:
            nothing: list[int | None] = [None] * len(rows)
            return nothing, nothing
        earliest: list[int | None] = []
        latest: list[int | None] = []
        for row in rows:
            one, doubt = self.received[self.judged.upload[row]], self._doubts[self.judged.upload[row]]
            at_ms = self.judged.at_ms[row]
            bounds = None if doubt is None else bounds_ms(at_ms, doubt, received_at_ms=one.received_at_ms)
            earliest.append(None if bounds is None else bounds[0])
            latest.append(None if bounds is None else bounds[1])
        return earliest, latest


def _doubt(one: Received) -> ClockDoubt | None:
    return clock_doubt(
        gate_at_ms=one.upload.gate_at_ms,
        received_at_ms=one.received_at_ms,
        offset_ms=one.upload.offset_ms,
        last_sync_ms=one.upload.last_sync_ms,
    )
