"""The journal of a gate keeps what was not acknowledged, in a chain, over restarts."""

import hashlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate_sim.journal import GENESIS, Journal, JournalFull, canonical
from tests.unit.gate_sim.signed import not_to_disk


def _open(folder: Path, now_s: int = 1_000) -> Journal:
    return Journal(folder / "gate.journal", now_s=now_s)


def test_events_survive_a_restart_under_their_names_and_new_ones_get_a_new_epoch(tmp_path: Path) -> None:
    first = _open(tmp_path)
    first.append({"at_ms": 1})
    first.append({"at_ms": 2})
    first.acknowledge(epoch=1_000, seq=1)
    first.close()
    again = _open(tmp_path, now_s=2_000)
    assert [(event.epoch, event.seq) for event in again.unacknowledged(10)] == [(1_000, 2)]
    new = again.append({"at_ms": 3})
    assert (new.epoch, new.seq) == (2_000, 1)
    assert again.waiting == 2
    again.acknowledge(epoch=1_000, seq=2)
    assert [(event.epoch, event.seq) for event in again.unacknowledged(10)] == [(2_000, 1)]


def test_an_epoch_is_larger_than_the_one_before_even_if_the_clock_went_back(tmp_path: Path) -> None:
    for now_s, epoch in ((1_000, 1_000), (10, 1_001), (1_001, 1_002), (5_000, 5_000)):
        journal = _open(tmp_path, now_s)
        assert journal.epoch == epoch
        journal.close()


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
        content = hashlib.sha256(json.dumps(event.content, sort_keys=True, separators=(",", ":")).encode()).digest()
        assert event.hash == hashlib.sha256(before + content).digest()
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
    not_to_disk(journal)
    for number in range(8):
        journal.append({"at_ms": number})
    for seq in acknowledged:
        journal.acknowledge(epoch=1_000, seq=seq)
    highest = max((seq for seq in acknowledged if seq <= 8), default=0)
    assert [event.seq for event in journal.unacknowledged(20)] == list(range(highest + 1, 9))
    journal.close()


def test_a_text_is_written_as_rfc_8785_has_it() -> None:
    content = {"verdict": "accepted", "plate": '浙A·\u20ac\b\t\n\f\r\x0f\x7f"\\/', "manual": True, "at_ms": 1}
    assert canonical(content) == (
        '{"at_ms":1,"manual":true,"plate":"浙A·€\\b\\t\\n\\f\\r\\u000f\x7f\\"\\\\/","verdict":"accepted"}'
    )


def test_what_is_sent_is_what_was_hashed(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    event = journal.append({"at_ms": 1, "plate": "浙A12345"})
    assert event.text == '{"at_ms":1,"plate":"浙A12345","seq":1}'
    journal.close()
    assert _open(tmp_path, 2_000).unacknowledged(1) == [event]


def test_a_restored_older_copy_never_gives_a_name_that_is_taken(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    journal.append({"at_ms": 1})
    journal.close()
    copy = (tmp_path / "gate.journal").read_bytes()
    later = _open(tmp_path, 2_000)
    taken = {(event.epoch, event.seq) for event in [later.append({"at_ms": 2}), *later.unacknowledged(9)]}
    later.close()
    (tmp_path / "gate.journal").write_bytes(copy)
    restored = _open(tmp_path, 3_000)
    new = restored.append({"at_ms": 3})
    assert (new.epoch, new.seq) not in taken
    # What the copy still holds has its old name and its old words: sent again it is a duplicate.
    assert [(event.epoch, event.seq) for event in restored.unacknowledged(9)] == [(1_000, 1)]


def test_a_copy_put_back_under_a_running_gate_goes_on_under_a_new_epoch(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    for number in range(3):
        journal.append({"at_ms": number})
    journal.tell(epoch=1_000, seq=2)
    assert not journal.knows_more(epoch=1_000, seq=2)
    assert journal.knows_more(epoch=1_000, seq=3)
    journal.begin_epoch(now_s=1_500)
    assert [(event.epoch, event.seq) for event in journal.unacknowledged(9)] == [(1_000, 1), (1_000, 2)]
    journal.acknowledge(epoch=1_000, seq=9)
    [carried] = journal.unacknowledged(9)
    assert (carried.epoch, carried.seq, carried.content["at_ms"]) == (1_500, 1, 2)


@pytest.mark.parametrize("damage", ["a bit of a text", "a missing row", "not a database", "half a file", "no tables"])
def test_a_broken_journal_is_set_aside_and_what_can_be_read_is_carried_over(tmp_path: Path, damage: str) -> None:
    journal = _open(tmp_path)
    not_to_disk(journal)
    for number in range(1, 301):
        journal.append({"at_ms": number, "code": "PF1:" + "0" * 294})
    journal.acknowledge(epoch=1_000, seq=100)
    journal.close()
    _damage(tmp_path / "gate.journal", damage)
    evidence = (tmp_path / "gate.journal").read_bytes()
    again = _open(tmp_path, 2_000)
    assert again.set_aside is not None
    assert again.set_aside.read_bytes() == evidence
    left = again.newest(1_000)
    times = [event.content["at_ms"] for event in left]
    assert len(times) == len(set(times))
    if damage in ("a bit of a text", "a missing row"):
        # Before the break nothing changed; behind it the same scans have new names.
        assert [event.seq for event in left if event.epoch == 1_000] == list(range(101, 200))
        assert [event.content["at_ms"] for event in left if event.epoch == 2_000] == list(range(201, 301))
    assert again.append({"at_ms": 301}).epoch == 2_000
    again.close()
    assert _open(tmp_path, 3_000).set_aside is None


def _damage(path: Path, damage: str) -> None:
    if damage == "not a database":
        path.write_bytes(b"rubbish" * 1_000)
        return
    if damage == "half a file":
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        return
    with sqlite3.connect(path) as db:
        if damage == "a bit of a text":
            db.execute("update event set content = replace(content, '\"at_ms\":200', '\"at_ms\":100') where seq = 200")
        elif damage == "a missing row":
            db.execute("delete from event where seq = 200")
        else:
            db.execute("drop table event")
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()


def test_a_locked_journal_is_not_taken_for_a_broken_one(tmp_path: Path) -> None:
    _open(tmp_path).close()
    with sqlite3.connect(tmp_path / "gate.journal", timeout=0) as other:
        other.execute("begin exclusive")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            Journal(tmp_path / "gate.journal", now_s=2_000, busy_seconds=0)
        other.rollback()
    other.close()
    assert not list(tmp_path.glob("*broken*"))


def test_a_full_disk_is_said_and_room_is_found_again_by_an_acknowledgement(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "gate.journal", now_s=1_000, pages_max=12)
    with pytest.raises(JournalFull):
        _append_many(journal, 1_000)
    held = journal.last_seq
    assert held > 10
    assert [event.seq for event in journal.unacknowledged(1_000)] == list(range(1, held + 1))
    assert not journal.takes_more() or journal.append({"at_ms": 1}).seq == held + 1
    journal.acknowledge(epoch=1_000, seq=held)
    assert journal.takes_more()
    assert journal.append({"at_ms": 0}).seq == journal.last_seq


def _append_many(journal: Journal, count: int) -> None:
    for number in range(count):
        journal.append({"at_ms": number, "code": "0" * 298})


_APPENDER = """
import sys
from pathlib import Path
from gate_sim.journal import Journal
journal = Journal(Path(sys.argv[1]), now_s=1_000)
while True:
    print(journal.append({"at_ms": 1, "code": "0" * 298}).seq, flush=True)
"""


def test_what_was_said_to_be_written_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "gate.journal"
    said = 0
    for life in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _APPENDER.replace("1_000)", f"{1_000 + life})"), str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout is not None
        for _ in range(20 + 7 * life):
            process.stdout.readline()
            said += 1
        process.kill()
        said += len(process.stdout.read().splitlines())
        process.wait()
        process.stdout.close()
    journal = _open(tmp_path, 2_000)
    assert journal.set_aside is None
    # The last one of each life may have been written and not said.
    assert said <= journal.waiting <= said + 3
