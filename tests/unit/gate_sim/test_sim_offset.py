"""The clock offset of a gate, from the service's time in answers."""

from gate_sim.offset import OffsetEstimate


def test_half_of_the_round_trip_lies_before_the_service_looked_at_its_clock() -> None:
    estimate = OffsetEstimate()
    assert (estimate.offset_ms, estimate.doubt_ms, estimate.last_sync_ms) == (0, None, None)
    estimate.add(sent_ms=1_000, received_ms=1_200, server_ms=5_100)
    assert (estimate.offset_ms, estimate.doubt_ms, estimate.last_sync_ms) == (4_000, 100, 1_200)


def test_the_shortest_round_trip_of_the_last_eight_counts() -> None:
    estimate = OffsetEstimate()
    for round_trip_ms, offset_ms in ((900, 300), (20, 101), (600, -150), (20, 102)):
        estimate.add(sent_ms=0, received_ms=round_trip_ms, server_ms=offset_ms + round_trip_ms // 2)
    assert estimate.offset_ms == 102
    for _ in range(8):
        estimate.add(sent_ms=0, received_ms=600, server_ms=300 + 300)
    assert (estimate.offset_ms, estimate.doubt_ms) == (300, 300)


def test_a_clock_that_was_set_makes_older_samples_void() -> None:
    estimate = OffsetEstimate()
    estimate.add(sent_ms=0, received_ms=2, server_ms=1)
    estimate.add(sent_ms=0, received_ms=400, server_ms=3_600_000 + 200)
    assert estimate.offset_ms == 3_600_000


def test_a_clock_that_jumps_back_during_a_request_gives_no_negative_round_trip() -> None:
    estimate = OffsetEstimate()
    estimate.add(sent_ms=10_000, received_ms=5_000, server_ms=10_000)
    assert (estimate.offset_ms, estimate.doubt_ms) == (0, 0)
