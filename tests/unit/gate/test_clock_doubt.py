"""How far a gate's clock may have been off, from what it said and when it was heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.gate.rules import CLOCK_TRUSTED_MS, ClockDoubt, bounds_ms, clock_doubt

NOW_MS = 1_508_500_000_000
OFFSET = st.integers(-7_200_000, 7_200_000)


@pytest.mark.parametrize(
    ("seen_ms", "offset_ms", "synced", "doubt"),
    [
        (0, 0, True, None),
        (30_000, -30_000, True, None),
        (30_001, 0, True, ClockDoubt(0, 30_001)),
        # An hour slow, and the gate knows it: no question when the scan was.
        (3_600_000, 3_600_000, True, ClockDoubt(3_600_000, 3_600_000)),
        # An hour slow now, and right when it last compared: it was set or drifted in between.
        (3_600_000, 0, True, ClockDoubt(0, 3_600_000)),
        (-3_600_000, -3_599_000, True, ClockDoubt(-3_600_000, -3_599_000)),
        # Never compared: what the gate says of its offset means nothing.
        (3_600_000, 9, False, ClockDoubt(0, 3_600_000)),
        (200, 86_400_000, False, None),
    ],
)
def test_a_clock_is_trusted_within_half_a_minute(
    seen_ms: int, offset_ms: int, synced: bool, doubt: ClockDoubt | None
) -> None:
    found = clock_doubt(
        gate_at_ms=NOW_MS - seen_ms,
        received_at_ms=NOW_MS,
        offset_ms=offset_ms,
        last_sync_ms=NOW_MS - 60_000 if synced else None,
    )
    assert found == doubt


@given(st.integers(0, 86_400_000), OFFSET, OFFSET, st.integers(0, 1_000))
def test_the_true_instant_lies_within_the_bounds(age_ms: int, then_ms: int, now_ms: int, drifted: int) -> None:
    """The clock was off by `then_ms` when it compared and is by `now_ms` at the upload; the scan was in between."""
    off_ms = then_ms + (now_ms - then_ms) * drifted // 1_000
    true_ms = NOW_MS - age_ms
    doubt = clock_doubt(
        gate_at_ms=NOW_MS - now_ms, received_at_ms=NOW_MS, offset_ms=then_ms, last_sync_ms=NOW_MS - age_ms - 1
    )
    if doubt is None:
        assert abs(off_ms) <= CLOCK_TRUSTED_MS
        return
    earliest_ms, latest_ms = bounds_ms(true_ms - off_ms, doubt, received_at_ms=NOW_MS)
    assert earliest_ms <= true_ms <= latest_ms <= NOW_MS


@given(st.integers(0, 253_402_300_799_999), st.integers(-(2**63), 2**63), st.integers(0, 253_402_300_799_999))
def test_whatever_a_gate_says_of_its_clock_the_bounds_are_instants(at_ms: int, offset_ms: int, gate_at_ms: int) -> None:
    doubt = clock_doubt(gate_at_ms=gate_at_ms, received_at_ms=NOW_MS, offset_ms=offset_ms, last_sync_ms=0)
    if doubt is not None:
        earliest_ms, latest_ms = bounds_ms(at_ms, doubt, received_at_ms=NOW_MS)
        assert 0 <= earliest_ms <= latest_ms <= NOW_MS
