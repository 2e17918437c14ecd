"""How far a gate's clock is from the service's, estimated from the answers as NTP does (RFC 5905 section 10)."""

from collections import deque
from dataclasses import dataclass
from typing import Final

_SAMPLES_MAX: Final = 8
# What two honest samples may differ by beyond their round trips: cheap quartz drifts this far in some hours.
_DRIFT_MS: Final = 500


@dataclass(frozen=True, slots=True)
class _Sample:
    offset_ms: int
    round_trip_ms: int

    @property
    def doubt_ms(self) -> int:
        """The service looked at its clock at some moment of the round trip; half of it is all that can be wrong."""
        return (self.round_trip_ms + 1) // 2


class OffsetEstimate:
    """The best of the last eight samples: the one whose round trip was shortest."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES_MAX)
        self.last_sync_ms: int | None = None

    @property
    def offset_ms(self) -> int:
        """What to add to the gate's clock to get the service's; 0 while nothing is known."""
        return self._best().offset_ms if self._samples else 0

    @property
    def doubt_ms(self) -> int | None:
        """By how much the offset may be wrong; None while nothing is known."""
        return self._best().doubt_ms if self._samples else None

    def add(self, *, sent_ms: int, received_ms: int, server_ms: int) -> None:
        """One answer: when the gate asked and had the answer, by its own clock, and the service's time in it."""
        round_trip_ms = max(0, received_ms - sent_ms)
        sample = _Sample(server_ms - (sent_ms + round_trip_ms // 2), round_trip_ms)
        if self._samples and self._contradicts(sample):
            # One of the two clocks was set: what was measured before is about another clock.
            self._samples.clear()
        self._samples.append(sample)
        self.last_sync_ms = received_ms

    def _contradicts(self, sample: _Sample) -> bool:
        best = self._best()
        return abs(sample.offset_ms - best.offset_ms) > sample.doubt_ms + best.doubt_ms + _DRIFT_MS

    def _best(self) -> _Sample:
        # Of equally good ones the newest.
        return min(reversed(self._samples), key=lambda sample: sample.round_trip_ms)
