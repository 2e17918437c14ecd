"""Bundles and deny filters against the golden file, which was made from the format's description without parkflow."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from parkflow import core

GOLDEN = Path(__file__).parents[2] / "golden"
VECTOR: dict[str, Any] = json.loads((GOLDEN / "bundle_v1.json").read_text(encoding="ascii"))
ROOT_SECRET, ROOT_KEY = bytes.fromhex(VECTOR["root_secret"]), bytes.fromhex(VECTOR["root_public_key"])
OUTCOMES, EXITS = {1: "flag", 2: "refuse"}, {0: "accept", 1: "pay"}
DIRECTIONS = {1: "entry", 2: "exit", 3: "both"}


def joined(name: str) -> bytes:
    return b"".join(bytes.fromhex(subject) for subject in VECTOR[name])


def content() -> core.BundleContent:
    keys: list[core.BundleKey] = [
        {
            "kid": kid,
            "operator_id": VECTOR["operator_id"],
            "product": product,
            "algorithm": algorithm,
            "not_before_s": begin,
            "not_after_s": end,
            "public_key": bytes.fromhex(public_key),
        }
        for kid, product, algorithm, begin, end, public_key in VECTOR["keys"]
    ]
    return {
        "operator_id": VECTOR["operator_id"],
        "version": VECTOR["version"],
        "issued_at_s": VECTOR["issued_at_s"],
        "expires_at_s": VECTOR["expires_at_s"],
        "keys": keys,
        "lots": [lot(row) for row in VECTOR["lots"]],
        "filter": (bytes.fromhex(VECTOR["filter_sha256"]), len(VECTOR["filter"]) // 2),
        "denied": joined("denied"),
        "cleared": joined("cleared"),
    }


def lot(row: dict[str, Any]) -> core.BundleLot:
    return {
        "lot_id": row["id"],
        "product": row["product"],
        "code_age_max_s": row["age"],
        "skew_s": row["skew"],
        "exit_denied": EXITS[row["exit"]],
        "passback_s": row["passback"],
        "risk": [
            {"ceiling_from": ceiling, "code_age_from_s": age, "bundle_age_from_s": bundle, "outcome": OUTCOMES[outcome]}
            for ceiling, age, bundle, outcome in row["risk"]
        ],
        "lanes": [{"lane_id": lane, "direction": DIRECTIONS[direction]} for lane, direction in row["lanes"]],
    }


def test_the_golden_file_is_what_its_writer_writes() -> None:
    spec = importlib.util.spec_from_file_location("write_bundle_v1", GOLDEN / "write_bundle_v1.py")
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert writer.rendered() == (GOLDEN / "bundle_v1.json").read_text(encoding="ascii")


def test_a_bundle_is_sealed_byte_for_byte_from_lists_in_any_order() -> None:
    shuffled = content()
    shuffled["keys"] = list(reversed(shuffled["keys"]))
    shuffled["lots"] = list(reversed(shuffled["lots"]))
    for given in (content(), shuffled):
        assert core.seal_bundle(ROOT_SECRET, given).hex() == VECTOR["bundle"]
    assert core.open_bundle(ROOT_KEY, bytes.fromhex(VECTOR["bundle"])) == content()


def test_a_bundle_of_another_key_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="bad_signature"):
        core.open_bundle(core.public_key(b"x" * 32), bytes.fromhex(VECTOR["bundle"]))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("denied", b"short", "denied must be subjects of 16 bytes"),
        ("cleared", bytes(32), "cleared must be in strictly rising order"),
        ("version", -1, "ContentItem.version"),
        ("filter", (b"x", 1), "filter sha256 must be 32 bytes"),
        ("lots", [{**lot(VECTOR["lots"][0]), "exit_denied": "sing"}], "exit_denied must be accept or pay"),
        ("keys", [content()["keys"][0]] * 2, "keys must be in strictly rising order"),
    ],
)
def test_content_that_cannot_be_written_is_refused_by_field(field: str, value: object, message: str) -> None:
    wrong: Any = {**content(), field: value}
    with pytest.raises((ValueError, TypeError), match=message):
        core.seal_bundle(ROOT_SECRET, wrong)


def test_a_filter_of_another_maker_is_read_and_hits_what_that_maker_says() -> None:
    read = core.DenyFilter.decode(bytes.fromhex(VECTOR["filter"]))
    assert (read.sha256.hex(), len(read)) == (VECTOR["filter_sha256"], len(VECTOR["filter"]) // 2)
    assert bytes(read).hex() == VECTOR["filter"]
    assert read.hits_among(joined("filter_members")) == joined("filter_members")
    assert read.hits_among(joined("filter_hits_others")) == joined("filter_hits_others")
    assert read.hits_among(joined("filter_misses")) == b""
    assert read.misses_among(joined("filter_misses") + joined("filter_members")) == joined("filter_misses")
    assert not read.hits(b"short")


def test_bytes_that_are_no_filter_are_refused() -> None:
    for wrong in (b"", b"\x01" * 17, bytes.fromhex(VECTOR["filter"])[:-1]):
        with pytest.raises(ValueError, match="not a deny filter"):
            core.DenyFilter.decode(wrong)
    with pytest.raises(ValueError, match="1 to 50,000,000 subjects"):
        core.DenyFilter.build(b"")


def test_a_gate_takes_the_golden_bundle_with_its_filter() -> None:
    bundle, now_s = bytes.fromhex(VECTOR["bundle"]), VECTOR["issued_at_s"] + 5
    gate = core.Gate(ROOT_KEY, VECTOR["lot_id"], VECTOR["lane_ids"][0])
    with pytest.raises(core.BundleError) as missing:
        gate.take_bundle(bundle, now_s=now_s)
    assert missing.value.code == "filter_missing"
    assert gate.filter_of(bundle) == bytes.fromhex(VECTOR["filter_sha256"])
    with pytest.raises(core.BundleError, match="bad filter"):
        gate.take_bundle(bundle, now_s=now_s, filter=bytes(core.DenyFilter.build(bytes(16))))
    assert gate.take_bundle(bundle, now_s=now_s, filter=bytes.fromhex(VECTOR["filter"])) == VECTOR["version"]
    with pytest.raises(core.BundleError, match="unknown lane"):
        core.Gate(ROOT_KEY, VECTOR["lot_id"], 77).take_bundle(
            bundle, now_s=now_s, filter=bytes.fromhex(VECTOR["filter"])
        )


def test_gate_reasons_keep_their_numbers() -> None:
    own = "no_bundle bundle_expired clock_behind wrong_direction passback risk"
    assert core.REASONS | dict(enumerate(own.split(), start=32)) == core.GATE_REASONS
