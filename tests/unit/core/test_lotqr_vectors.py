"""Lot QRs against the golden file, which was made from the format's description without parkflow."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow import core

GOLDEN = Path(__file__).parents[2] / "golden"
VECTOR: dict[str, Any] = json.loads((GOLDEN / "lotqr_v1.json").read_text(encoding="ascii"))
CASES: list[dict[str, Any]] = VECTOR["cases"]
ROOT_SECRET, ROOT_KEY = bytes.fromhex(VECTOR["root_secret"]), bytes.fromhex(VECTOR["root_public_key"])
GOOD: dict[str, Any] = VECTOR["good"][0]


def answer(text: str) -> str:
    try:
        core.verify_lot_qr(text, ROOT_KEY)
    except core.LotQrRefused as refused:
        return refused.reason
    return "good"


def test_the_golden_file_is_what_its_writer_writes() -> None:
    spec = importlib.util.spec_from_file_location("write_lotqr_v1", GOLDEN / "write_lotqr_v1.py")
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert writer.rendered() == (GOLDEN / "lotqr_v1.json").read_text(encoding="ascii")


@pytest.mark.parametrize("good", VECTOR["good"], ids=[good["text"][:50] for good in VECTOR["good"]])
def test_a_lot_qr_is_signed_byte_for_byte_and_read_into_its_fields(good: dict[str, Any]) -> None:
    fields = core.LotQrFields(**good["fields"])
    assert core.sign_lot_qr(ROOT_SECRET, fields) == good["text"]
    assert core.read_lot_qr(good["text"]) == core.verify_lot_qr(good["text"], ROOT_KEY) == fields
    assert {name: getattr(fields, name) for name in good["fields"]} == good["fields"]
    assert len(good["text"]) == 151


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_each_text_gets_its_answer(case: dict[str, Any]) -> None:
    assert answer(case["text"]) == case["answer"]


def test_every_refusal_has_a_text_and_keeps_its_number() -> None:
    assert {case["answer"] for case in CASES} == {"good", *core.LOT_QR_REFUSALS.values()}
    names = "too_long bad_base32 bad_length bad_version bad_purpose bad_signature"
    assert dict(enumerate(names.split(), start=1)) == core.LOT_QR_REFUSALS


def test_what_only_the_signature_refuses_can_be_read() -> None:
    for case in CASES:
        if case["answer"] == "bad_signature":
            assert core.read_lot_qr(case["text"]).lot_id >= 0
        elif case["answer"] != "good":
            with pytest.raises(core.LotQrRefused) as refused:
                core.read_lot_qr(case["text"])
            assert refused.value.reason == case["answer"]


def test_a_text_that_is_no_unicode_is_refused() -> None:
    assert answer("\ud800") == "bad_base32"


@given(text=st.text(max_size=220) | st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", max_size=160))
def test_no_text_is_good_but_one_that_was_signed(text: str) -> None:
    assert answer(text) in core.LOT_QR_REFUSALS.values()


def test_the_caller_gives_whole_secrets_honest_keys_and_known_purposes() -> None:
    fields = core.LotQrFields(**GOOD["fields"])
    with pytest.raises(ValueError, match="root_secret must be 32 bytes"):
        core.sign_lot_qr(bytes(31), fields)
    with pytest.raises(ValueError, match="root_key: an Ed25519 public key has 32 bytes"):
        core.verify_lot_qr(GOOD["text"], bytes(31))
    with pytest.raises(ValueError, match="root_key: the public key is not a point of the prime-order group"):
        core.verify_lot_qr(GOOD["text"], b"\x01" + bytes(31))
    with pytest.raises(ValueError, match=r"purpose must be one of entry, prepay, exit; got .*dance"):
        core.LotQrFields(operator_id=1, lot_id=1, lane_id=1, purpose="dance", issued_at_s=0)
