"""Pairing of scans into stays through the typed face; the shared vectors hold the rules, see tests/golden."""

from parkflow.core import ScanEvent, pair_scans

MINUTE_MS = 60_000


def scan(seq: int, minute: int, direction: str) -> ScanEvent:
    return ScanEvent(1, 1, seq, minute * MINUTE_MS, direction)


def test_an_exit_closes_the_latest_entry_before_it() -> None:
    first, second, out = scan(1, 0, "entry"), scan(2, 10, "entry"), scan(3, 30, "exit")
    [pairing] = pair_scans([(None, [out, second, first])])
    assert pairing.closed == [(second, out)]
    assert pairing.missing_exit == [first]
    assert pairing.open is None


def test_groups_do_not_touch_each_other() -> None:
    inside, out = scan(1, 0, "entry"), scan(2, 90, "exit")
    opened, closed, held = pair_scans([(None, [inside]), (inside, [out]), (None, [out])])
    assert (opened.open, opened.opened) == (inside, True)
    assert (closed.open, closed.closed) == (None, [(inside, out)])
    assert held.awaiting_entry == [out]
