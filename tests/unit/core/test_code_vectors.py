"""Codes against the golden file, which was made from the format's description without parkflow."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from parkflow import core

GOLDEN = Path(__file__).parents[2] / "golden"
VECTOR: dict[str, Any] = json.loads((GOLDEN / "code_v1.json").read_text(encoding="ascii"))
CASES: list[dict[str, Any]] = VECTOR["cases"]


def bytes_of(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


def issuer_keys() -> core.KeySet:
    begin_s, end_s = VECTOR["issuer_window_s"]
    kid, product = VECTOR["fields"]["kid"], VECTOR["issuer_product"]
    return core.KeySet([core.IssuerKey(kid, bytes_of("issuer_public_key"), 1, product, begin_s, end_s)])


def policy_of(case: dict[str, Any]) -> core.Policy:
    return core.Policy(product=case["product"], fee_due_units=case["fee_due_units"])


def credential_fields() -> core.CredentialFields:
    fields = dict(VECTOR["fields"])
    fields |= {name: bytes.fromhex(fields[name]) for name in ("subject", "code_key")}
    return core.CredentialFields(**fields)


def test_the_golden_file_is_what_its_writer_writes() -> None:
    spec = importlib.util.spec_from_file_location("write_code_v1", GOLDEN / "write_code_v1.py")
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert writer.rendered() == (GOLDEN / "code_v1.json").read_text(encoding="ascii")


def test_subject_seals_to_the_golden_bytes_and_opens_again() -> None:
    card_id, serial = VECTOR["card_id"], VECTOR["serial"]
    subject = core.seal_subject(bytes_of("subject_key"), card_id, serial)
    assert subject.hex() == VECTOR["fields"]["subject"]
    assert core.open_subject(bytes_of("subject_key"), subject) == (card_id, serial)


def test_credential_and_code_are_made_byte_for_byte() -> None:
    credential = core.issue_credential(bytes_of("issuer_secret"), credential_fields())
    assert credential == bytes_of("credential")
    text = core.make_code(credential, bytes_of("code_secret"), VECTOR["issued_at_s"], VECTOR["nonce"])
    assert text == VECTOR["text"]
    assert len(text) == 298


def test_a_code_is_read_into_its_fields() -> None:
    code = core.decode_code(VECTOR["text"])
    assert bytes(code) == bytes_of("code")
    assert code.credential == credential_fields()
    assert code.credential_bytes == bytes_of("credential")
    assert (code.issued_at_s, code.nonce, code.code_id) == (
        VECTOR["issued_at_s"],
        VECTOR["nonce"],
        bytes_of("code_id"),
    )
    assert code.text() == VECTOR["text"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_each_case_gets_its_reason(case: dict[str, Any]) -> None:
    code_id, subject = bytes_of("code_id"), bytes.fromhex(VECTOR["fields"]["subject"])
    replay = core.ReplayCache(8)
    if case["seen"]:
        replay.remember(code_id, case["now_s"])
    verdict = core.verify_code(
        case["text"],
        now_s=case["now_s"],
        keys=issuer_keys(),
        policy=policy_of(case),
        deny=core.DenyList([subject] if case["denied"] else []),
        replay=replay,
    )
    assert verdict.name == case["reason"]
    assert core.REASONS[verdict.reason] == verdict.name
    assert verdict.accepted == (verdict.reason == 0)
    # Only an accepted code is written into the replay cache.
    assert len(replay) == (case["seen"] or verdict.accepted)


def test_every_reason_has_a_case() -> None:
    assert {case["reason"] for case in CASES} == set(core.REASONS.values())


def test_reasons_keep_their_numbers() -> None:
    names = (
        "accepted too_long bad_prefix bad_base45 bad_length bad_version unknown_kid kid_expired not_yet_valid "
        "credential_expired code_stale code_from_future denied replayed wrong_product over_ceiling "
        "bad_issuer_signature bad_code_signature"
    )
    assert dict(enumerate(names.split())) == core.REASONS


def test_a_batch_answers_as_one_check_after_the_other() -> None:
    keys = issuer_keys()
    for settings in {(case["product"], case["fee_due_units"]) for case in CASES}:
        policy = core.Policy(product=settings[0], fee_due_units=settings[1])
        texts, at_s = [case["text"] for case in CASES], [case["now_s"] for case in CASES]
        one_by_one = [
            core.verify_code(text, now_s=now_s, keys=keys, policy=policy)
            for text, now_s in zip(texts, at_s, strict=True)
        ]
        batch = core.verify_codes(texts, at_s, keys=keys, policy=policy)
        assert batch == one_by_one


def test_a_text_that_is_no_unicode_is_refused_and_not_raised() -> None:
    for text in ("\ud800", "PF1:\ud800", VECTOR["text"] + "\udfff"):
        verdict = core.verify_code(text, now_s=0, keys=issuer_keys(), policy=core.Policy())
        assert verdict.name in ("bad_prefix", "bad_base45")


def test_reading_what_is_no_code_names_the_reason() -> None:
    with pytest.raises(core.CodeError) as refusal:
        core.decode_code("PF1:A")
    assert refusal.value.reason == "bad_base45"


def test_messages_are_signed_behind_the_prefix_of_their_purpose() -> None:
    signatures: dict[str, str] = VECTOR["message_signatures"]
    assert set(signatures) == set(core.PURPOSES)
    for purpose, signature in signatures.items():
        made = core.sign_message(bytes_of("issuer_secret"), purpose, b"message")
        assert made.hex() == signature
        for other in core.PURPOSES:
            taken = core.verify_message(bytes_of("issuer_public_key"), other, b"message", made)
            assert taken == (other == purpose)


def test_an_unknown_purpose_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"purpose must be one of .*bundle/1"):
        core.sign_message(bytes_of("issuer_secret"), "bundle/2", b"message")


@pytest.mark.parametrize("lifetime_minutes", [0, 4_321])
def test_no_credential_is_issued_for_no_time_or_more_than_three_days(lifetime_minutes: int) -> None:
    fields = dict(VECTOR["fields"]) | {"lifetime_minutes": lifetime_minutes}
    fields |= {name: bytes.fromhex(fields[name]) for name in ("subject", "code_key")}
    with pytest.raises(ValueError, match="lifetime_minutes must be from 1 to 4320"):
        core.issue_credential(bytes_of("issuer_secret"), core.CredentialFields(**fields))


def test_no_credential_is_issued_for_a_key_of_small_order() -> None:
    fields = dict(VECTOR["fields"]) | {"subject": bytes(16), "code_key": b"\x01" + bytes(31)}
    with pytest.raises(ValueError, match="code_key: the public key is not a point of the prime-order group"):
        core.issue_credential(bytes_of("issuer_secret"), core.CredentialFields(**fields))


def test_a_phone_cannot_make_codes_with_anothers_credential() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        core.make_code(bytes_of("credential"), bytes_of("issuer_secret"), 0, 0)


def test_a_kid_names_one_key() -> None:
    key = core.IssuerKey(7, bytes_of("issuer_public_key"), 1, None, 0, 1)
    with pytest.raises(ValueError, match="issuer key 7 is there twice"):
        core.KeySet([key, key])
    assert core.KeySet([key]).kids() == [7]


def test_a_full_replay_cache_forgets_what_becomes_useless_first() -> None:
    replay = core.ReplayCache(2)
    first, second, third = (bytes([number]) * 16 for number in range(3))
    replay.remember(first, 300)
    replay.remember(second, 100)
    replay.remember(third, 200)
    assert [code_id in replay for code_id in (first, second, third)] == [True, False, True]
