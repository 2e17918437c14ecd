"""A gate decides without a network and keeps a journal of every decision."""

from dataclasses import replace
from pathlib import Path

import pytest

from gate_sim.journal import Journal
from parkflow import core
from tests.unit.gate_sim.signed import LANE, NOW_S, bare_gate, bundle_of, make_gate, phone_with_credential

NOW_MS = NOW_S * 1000


def test_a_code_opens_once_and_is_in_the_journal_before_the_barrier_opens(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    phone, _ = phone_with_credential()
    code = phone.code_at(NOW_S)
    decision = gate.show(code, at_ms=NOW_MS)
    assert (decision.verdict, decision.opened) == ("accepted", True)
    again = gate.show(code, at_ms=NOW_MS + 5_000)
    assert (again.verdict, again.opened) == ("replayed", False)
    assert [event.content["verdict"] for event in gate.journal.unacknowledged(10)] == ["accepted", "replayed"]


def test_a_screenshot_opens_no_gate_after_a_minute(tmp_path: Path) -> None:
    phone, _ = phone_with_credential()
    decision = make_gate(tmp_path).show(phone.code_at(NOW_S), at_ms=NOW_MS + 75_000)
    assert (decision.verdict, decision.opened) == ("code_stale", False)


def test_a_denied_card_does_not_come_in(tmp_path: Path) -> None:
    phone, subject = phone_with_credential()
    gate = make_gate(tmp_path, bundle=bundle_of(1, denied=[subject]))
    assert not gate.show(phone.code_at(NOW_S), at_ms=NOW_MS).opened


def test_a_denied_card_that_is_inside_is_let_out_and_flagged(tmp_path: Path) -> None:
    phone, subject = phone_with_credential()
    gate = make_gate(tmp_path, "exit", bundle_of(1, denied=[subject]))
    decision = gate.show(phone.code_at(NOW_S), at_ms=NOW_MS)
    assert (decision.verdict, decision.opened) == ("denied", True)


def test_a_gate_without_a_bundle_stays_shut(tmp_path: Path) -> None:
    phone, _ = phone_with_credential()
    gate = bare_gate(tmp_path)
    assert gate.show(phone.code_at(NOW_S), at_ms=NOW_MS).verdict == "no_bundle"


def test_nobody_comes_in_on_an_expired_bundle_but_cars_go_out(tmp_path: Path) -> None:
    phone, _ = phone_with_credential()
    for direction, opened in (("entry", False), ("exit", True)):
        folder = tmp_path / direction
        folder.mkdir()
        gate = make_gate(folder, direction, bundle_of(1, expires_at_s=NOW_S + 60))
        assert gate.show(phone.code_at(NOW_S + 60), at_ms=NOW_MS + 60_000).opened is opened


@pytest.mark.parametrize("code", ["", "PF1:", "PF1:" + "0" * 294, "https://example.org", "PF1:" + "Z" * 5000, "\0"])
def test_a_malformed_code_is_refused_by_name_and_kept_as_evidence(tmp_path: Path, code: str) -> None:
    gate = make_gate(tmp_path)
    decision = gate.show(code, at_ms=NOW_MS)
    assert not decision.opened
    assert decision.verdict != "accepted"
    assert gate.journal.last_seq == 1


def test_an_older_or_foreign_or_expired_bundle_is_refused(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, bundle=bundle_of(5))
    for bundle, why in (
        (bundle_of(5), "not_newer"),
        (bundle_of(4), "not_newer"),
        (bundle_of(6, expires_at_s=NOW_S), "expired"),
        (bundle_of(6, root_secret=b"x" * 32), "bad_signature"),
    ):
        with pytest.raises(core.BundleError) as refusal:
            gate.core.take_bundle(bundle, now_s=NOW_S)
        assert refusal.value.code == why
    assert gate.core.bundle_version == 5


def test_a_bundle_once_taken_is_still_there_after_a_power_cut(tmp_path: Path) -> None:
    first = make_gate(tmp_path, bundle=bundle_of(5))
    first.journal.close()
    again = bare_gate(tmp_path)
    assert again.core.bundle_version == 5
    with pytest.raises(core.BundleError, match="not newer"):
        again.core.take_bundle(bundle_of(4), now_s=NOW_S)


def test_a_code_that_opened_before_a_power_cut_does_not_open_after_it(tmp_path: Path) -> None:
    phone, _ = phone_with_credential()
    first = make_gate(tmp_path)
    assert first.show(phone.code_at(NOW_S), at_ms=NOW_MS).opened
    first.journal.close()
    assert bare_gate(tmp_path).show(phone.code_at(NOW_S), at_ms=NOW_MS + 5_000).verdict == "replayed"


def test_a_fresh_code_of_a_card_that_just_went_in_does_not_let_a_second_car_in(tmp_path: Path) -> None:
    phone, _ = phone_with_credential()
    gate = make_gate(tmp_path)
    assert gate.show(phone.code_at(NOW_S), at_ms=NOW_MS).opened
    decision = gate.show(phone.code_at(NOW_S + 20), at_ms=NOW_MS + 20_000)
    assert (decision.verdict, decision.opened) == ("passback", False)


def test_what_is_let_through_on_old_knowledge_is_flagged_in_the_journal(tmp_path: Path) -> None:
    phone, _ = phone_with_credential()
    gate = make_gate(tmp_path)
    later_s = NOW_S + 1_900
    decision = gate.show(phone.code_at(later_s), at_ms=later_s * 1000)
    assert (decision.verdict, decision.opened, decision.flag) == ("accepted", True, "risk")
    [event] = gate.journal.unacknowledged(10)
    assert (event.content["verdict"], event.content["flag"]) == ("accepted", "risk")
    gate.core.confirm_bundle(later_s)
    assert gate.show(phone.code_at(later_s + 90), at_ms=(later_s + 90) * 1000).flag is None


def test_a_plate_and_a_ticket_open_where_the_lot_wants_it(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    assert gate.see_plate("浙A12345", at_ms=NOW_MS).opened
    assert gate.take_ticket("0001274", at_ms=NOW_MS).opened
    plate, ticket = (event.content for event in gate.journal.unacknowledged(10))
    assert (plate["medium"], plate["plate"], plate["verdict"]) == ("plate", "浙A12345", "accepted")
    assert (ticket["medium"], ticket["ticket"]) == ("ticket", "0001274")
    assert not {"code", "manual", "lifted_by"} & (plate.keys() | ticket.keys())


def test_a_lot_for_codes_only_keeps_plates_as_evidence(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    gate.post = replace(gate.post, opens_for=())
    decision = gate.see_plate("B-PK 1", at_ms=NOW_MS)
    assert (decision.opened, decision.verdict) == (False, "medium_not_enabled")
    assert gate.journal.last_seq == 1


@pytest.mark.parametrize("plate", ["", "  ", "\t"])
def test_a_reader_that_read_nothing_opens_nothing(tmp_path: Path, plate: str) -> None:
    decision = make_gate(tmp_path).see_plate(plate, at_ms=NOW_MS)
    assert (decision.opened, decision.verdict, decision.display.en) == (
        False, "nothing_read", "Nothing was read: please try again"
    )  # fmt: skip


def test_a_barrier_raised_by_hand_is_an_event_with_a_name(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    assert gate.lift("li.wei", at_ms=NOW_MS).opened
    [event] = gate.journal.unacknowledged(10)
    assert event.text == (
        f'{{"at_ms":{NOW_MS},"direction":"entry","lane":"{LANE}","lifted_by":"li.wei","manual":true,'
        '"medium":"lift","seq":1,"verdict":"lifted"}'
    )


def test_a_barrier_raised_for_a_code_keeps_the_code_and_why_it_did_not_open(tmp_path: Path) -> None:
    gate = make_gate(tmp_path)
    phone, _ = phone_with_credential()
    old = phone.code_at(NOW_S)
    assert not gate.show(old, at_ms=NOW_MS + 75_000).opened
    decision = gate.lift("li.wei", at_ms=NOW_MS + 80_000, code=old)
    assert (decision.opened, decision.verdict, decision.display.en) == (True, "code_stale", "Welcome")
    content = gate.journal.unacknowledged(10)[-1].content
    assert (content["medium"], content["code"], content["manual"]) == ("code", old, True)
    # The code let somebody through; it does not let another one through.
    assert gate.show(old, at_ms=NOW_MS + 1_000).verdict == "replayed"


@pytest.mark.parametrize("staff", ["", "li wei", "李", "x" * 65, "a\n"])
def test_staff_have_names_that_the_service_takes(tmp_path: Path, staff: str) -> None:
    gate = make_gate(tmp_path)
    with pytest.raises(ValueError, match="staff are named"):
        gate.lift(staff, at_ms=NOW_MS)
    assert gate.journal.last_seq == 0


def test_a_gate_that_cannot_write_opens_for_nobody_and_recovers_by_itself(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, "exit")
    gate.journal.close()
    gate.journal = Journal(tmp_path / "small.journal", now_s=NOW_S, pages_max=12)
    phone, _ = phone_with_credential()
    while gate.see_plate("B-PK 1" * 50, at_ms=NOW_MS).opened:
        pass
    for decision in (
        gate.see_plate("B-PK 1" * 50, at_ms=NOW_MS),
        gate.take_ticket("1" * 300, at_ms=NOW_MS),
        gate.lift("li.wei", at_ms=NOW_MS, code=phone.code_at(NOW_S)),
        gate.show(phone.code_at(NOW_S), at_ms=NOW_MS),
    ):
        if decision.event is None:
            assert (decision.opened, decision.verdict) == (False, "journal_full")
            assert decision.display.en == "Out of order: please call staff"
    assert gate.journal.waiting == gate.journal.last_seq
    gate.journal.acknowledge(epoch=gate.journal.epoch, seq=gate.journal.last_seq)
    assert gate.show(phone.code_at(NOW_S + 120), at_ms=NOW_MS + 120_000).opened


@pytest.mark.parametrize("code", ["\ud800", "PF1:\udfff", "漢" * 5_000, "\x00" * 5_000])
def test_whatever_a_reader_gives_is_text_that_the_service_takes(tmp_path: Path, code: str) -> None:
    gate = make_gate(tmp_path)
    event = gate.show(code, at_ms=NOW_MS).event
    assert event is not None
    assert len(str(event.content["code"])) <= 4_296
    event.text.encode()


def test_every_decision_names_its_reason_and_its_record(tmp_path: Path) -> None:
    phone, _ = phone_with_credential()
    gate = make_gate(tmp_path)
    later_s = NOW_S + 1_900
    decision = gate.show(phone.code_at(later_s), at_ms=later_s * 1000)
    assert (decision.verdict, decision.flag, decision.reason) == ("accepted", "risk", "risk")
    assert decision.event is not None
    assert decision.event.seq == 1
