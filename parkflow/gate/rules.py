"""What becomes of a scan, by name, and between which instants it was where the gate's clock is in doubt; pure."""

import hashlib
from dataclasses import dataclass
from typing import Final

from parkflow import core

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
REPLAYED: Final = "replayed"
CONFLICT: Final = "conflict"
UNISSUED: Final = "rejected:unissued_credential"
# Reasons of ours beside those of the code format; the core gives them.
_OURS: Final = ("scan_from_future", "wrong_direction")
KNOWN_RESULTS: Final = frozenset(
    {
        ACCEPTED,
        DUPLICATE,
        REPLAYED,
        CONFLICT,
        UNISSUED,
        *(f"rejected:{why}" for why in (*core.REASONS.values(), *_OURS)),
    }
)
"""Results that we give a name of our own; beyond them there are `rejected:` and a gate's own word."""

# Why a gate's word stops counting until a person has looked.
CONFLICTING: Final = "conflict"
CHAIN_BROKEN: Final = "chain_broken"

# As much as a code may be off by its clocks: below it a gate's clock is as good as its drivers' phones.
CLOCK_TRUSTED_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class ClockDoubt:
    """True time less the gate's time, in milliseconds: at least and at most."""

    least_ms: int
    most_ms: int


def clock_doubt(*, gate_at_ms: int, received_at_ms: int, offset_ms: int, last_sync_ms: int | None) -> ClockDoubt | None:
    """How far the scans of an upload may be off; None while the gate's clock is trusted.

    Two things are known: what the gate's clock showed when it sent (`gate_at_ms`, unix milliseconds) beside our time of
    receipt, and the offset that the gate itself found when it last compared (`offset_ms`, ours less its own). A clock
    that drifts or was set between the two was off by something between them; one that was never compared may have been
    right when the scans were made.
    """
    seen_ms = received_at_ms - gate_at_ms
    known_ms = 0 if last_sync_ms is None else offset_ms
    least_ms, most_ms = min(seen_ms, known_ms), max(seen_ms, known_ms)
    if least_ms >= -CLOCK_TRUSTED_MS and most_ms <= CLOCK_TRUSTED_MS:
        return None
    return ClockDoubt(least_ms, most_ms)


def bounds_ms(at_ms: int, doubt: ClockDoubt, *, received_at_ms: int) -> tuple[int, int]:
    """Between which instants (unix milliseconds) a scan of gate time `at_ms` was; never after it was received.

    A gate may say anything of its clock; no answer lies before 1970, where instants of scans begin.
    """
    earliest_ms, latest_ms = at_ms + doubt.least_ms, at_ms + doubt.most_ms
    return _within(earliest_ms, received_at_ms), _within(latest_ms, received_at_ms)


def _within(instant_ms: int, received_at_ms: int) -> int:
    return max(0, min(instant_ms, received_at_ms))


def chain_hash(before: bytes, content_sha256: bytes) -> bytes:
    """The chain hash of an event (SHA-256, FIPS 180-4) after that of the event before it, at first CHAIN_START."""
    return hashlib.sha256(before + content_sha256).digest()


CHAIN_START: Final = bytes(32)
