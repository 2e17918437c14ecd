"""The journal of a gate keeps what was not acknowledged, in a chain, over restarts."""

import sqlite3
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gate_sim.journal import GENESIS, Journal, chain_hash


def _open(folder: Path, now_s: int = 1_000) -> Journal:
    return Journal(folder / "gate.journal", now_s=now_s)


def test_events_survive_a_restart_with_their_epoch_and_sequence(tmp_path: Path) -> None:
    first = _open(tmp_path)
    first.append({"at_ms": 1})
    first.append({"at_ms": 2})
    first.acknowledge(epoch=1_000, seq=1)
    first.close()
    again = _open(tmp_path, now_s=2_000)
    assert (again.epoch, again.last_seq, again.acked_seq) == (1_000, 2, 1)
    assert [event.seq for event in again.unacknowledged(10)] == [2]
    assert again.append({"at_ms": 3}).seq == 3


def test_a_lost_journal_starts_again_under_a_larger_epoch(tmp_path: Path) -> None:
    lost = _open(tmp_path, now_s=1_000)
    lost.close()
    for file in tmp_path.iterdir():
        file.unlink()
    assert _open(tmp_path, now_s=1_001).epoch == 1_001


def test_only_what_was_acknowledged_is_forgotten(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    for number in range(3):
        journal.append({"at_ms": number})
    journal.acknowledge(epoch=999, seq=3)  # another life of this gate
    journal.acknowledge(epoch=1_000, seq=9)  # never sent
    assert len(journal.unacknowledged(10)) == 3
    journal.acknowledge(epoch=1_000, seq=2)
    journal.acknowledge(epoch=1_000, seq=1)  # an older answer that came late
    assert [event.seq for event in journal.unacknowledged(10)] == [3]


def test_the_chain_links_each_event_to_the_one_before(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    events = [journal.append({"at_ms": number, "verdict": "accepted"}) for number in range(3)]
    before = GENESIS
    for event in events:
        assert event.hash == chain_hash(before, event.seq, event.content)
        before = event.hash
    journal.acknowledge(epoch=1_000, seq=2)
    assert journal.prev_hash() == events[1].hash


def test_the_journal_is_written_through_to_the_disk(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    journal.append({"at_ms": 1})
    # Another connection sees the event while the journal is open: it is not in the process's memory alone.
    with sqlite3.connect(tmp_path / "gate.journal") as other:
        assert other.execute("select count(*) from event").fetchone() == (1,)
        assert other.execute("pragma journal_mode").fetchone() == ("wal",)
    other.close()
    assert journal._db.execute("pragma synchronous").fetchone() == (2,)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=12))
def test_any_order_of_acknowledgements_keeps_the_rest(tmp_path_factory, acknowledged: list[int]) -> None:  # type: ignore[no-untyped-def]
    journal = _open(tmp_path_factory.mktemp("journal"))
    for number in range(8):
        journal.append({"at_ms": number})
    for seq in acknowledged:
        journal.acknowledge(epoch=1_000, seq=seq)
    highest = max((seq for seq in acknowledged if seq <= 8), default=0)
    assert [event.seq for event in journal.unacknowledged(20)] == list(range(highest + 1, 9))
    journal.close()
