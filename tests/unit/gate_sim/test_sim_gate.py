"""A gate decides without a network and keeps a journal of every decision."""

from pathlib import Path

import pytest

from parkflow import core
from tests.unit.gate_sim.signed import NOW_S, bare_gate, bundle_of, make_gate, phone_with_credential

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
