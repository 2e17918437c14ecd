"""Uploads: the golden file, the hash chain, and judgements that agree with the rule said once more in Python."""

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parkflow import core
from parkflow.kit.ids import RANDOM_BITS, bucket_of

GOLDEN = Path(__file__).parents[2] / "golden"
VECTOR: dict[str, Any] = json.loads((GOLDEN / "upload_v1.json").read_text(encoding="ascii"))
SCANS_MAX: int = VECTOR["scans_max"]
NOON_S = 1_792_497_600
NOON_MS = NOON_S * 1000
KID = 5
ISSUER_SECRET, SUBJECT_KEY = bytes(31) + b"i", b"subject key 0016"
KEYS = core.KeySet([core.IssuerKey(KID, core.public_key(ISSUER_SECRET), 1, None, 0, 2**40)])
POLICY = core.Policy()
SUBJECT_KEYS = core.SubjectKeys({KID: SUBJECT_KEY})

Scan = dict[str, Any]


def code(card_id: int, *, serial: int = 1, issuer: bytes = ISSUER_SECRET) -> str:
    secret = hashlib.sha256(b"%d" % card_id).digest()
    fields = core.CredentialFields(
        kid=KID,
        subject=core.seal_subject(SUBJECT_KEY, card_id, serial),
        code_key=core.public_key(secret),
        not_before_s=NOON_S - 60,
        lifetime_minutes=60,
        product=1,
        ceiling=0,
    )
    return core.make_code(core.issue_credential(issuer, fields), secret, NOON_S, 7)


CARD_ID = 1_023 << RANDOM_BITS | 77
GOOD, FORGED = code(CARD_ID), code(CARD_ID, issuer=bytes(31) + b"f")


def scan(seq: int, **other: object) -> Scan:
    known = {"seq": seq, "at_ms": NOON_MS, "lane": "a", "direction": "entry", "medium": "code", "verdict": "accepted"}
    return {**known, **other}


def body(scans: Sequence[Scan], **other: object) -> bytes:
    known = {
        "epoch": 1,
        "first_seq": scans[0]["seq"],
        "prev_hash": "00" * 32,
        "bundle_version": 1,
        "clock": {"gate_at": "2026-10-20T12:00:00Z", "last_sync_at": None, "offset_ms": 0},
        "scans": scans,
    }
    return json.dumps({**known, **other}).encode()


def upload(scans: Sequence[Scan]) -> core.Upload:
    return core.read_upload(body(scans), scans_max=2_000)


def post(lane_direction: str = "both", exit_denied: str = "accept") -> core.UploadPost:
    return core.UploadPost(KEYS, POLICY, SUBJECT_KEYS, lane_direction, exit_denied)


def test_the_golden_file_is_what_its_writer_writes() -> None:
    spec = importlib.util.spec_from_file_location("write_upload_v1", GOLDEN / "write_upload_v1.py")
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert writer.rendered() == (GOLDEN / "upload_v1.json").read_text(encoding="ascii")


@pytest.mark.parametrize("good", VECTOR["good"], ids=[good["name"] for good in VECTOR["good"]])
def test_a_golden_body_is_read_into_what_it_says(good: dict[str, Any]) -> None:
    said = json.loads(good["body"])
    read = core.read_upload(good["body"].encode(), scans_max=SCANS_MAX)
    assert (read.epoch, read.first_seq, read.bundle_version, read.offset_ms) == (
        said["epoch"],
        said["first_seq"],
        said["bundle_version"],
        said["clock"]["offset_ms"],
    )
    assert (read.last_seq, read.count) == (said["scans"][-1]["seq"], len(said["scans"]))
    assert (read.gate_at_ms, read.last_sync_ms) == (good["gate_at_ms"], good["last_sync_ms"])
    times = [one["at_ms"] for one in said["scans"]]
    assert (read.oldest_at_ms, read.newest_at_ms) == (min(times), max(times))
    assert [one.hex() for one in read.content_sha256] == [one["content_sha256"] for one in good["scans"]]
    assert [one.hex() for one in read.chain_sha256] == [one["chain_sha256"] for one in good["scans"]]
    assert (read.prev_hash.hex(), read.last_hash) == (said["prev_hash"], read.chain_sha256[-1])
    judged = core.judge_uploads([(read, post())], now_ms=NOON_MS)
    assert judged.content == [one["evidence"] for one in good["scans"]]
    assert (judged.content_sha256, judged.chain_sha256) == (read.content_sha256, read.chain_sha256)


@pytest.mark.parametrize("case", VECTOR["refused"], ids=[case["name"] for case in VECTOR["refused"]])
def test_a_golden_refusal_names_its_place(case: dict[str, Any]) -> None:
    refused = case["body"].encode() if "body" in case else bytes.fromhex(case["body_hex"])
    with pytest.raises(core.UploadError) as caught:
        core.read_upload(refused, scans_max=SCANS_MAX)
    assert (caught.value.code, caught.value.path) == (case["code"], case["place"])
    assert case["code"] != "batch_malformed" or str(caught.value).startswith(f"{case['place']}: ")


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_by_name(refused: bytes) -> None:
    with pytest.raises(core.UploadError) as caught:
        core.read_upload(refused, scans_max=SCANS_MAX)
    assert caught.value.code == "batch_malformed"


def expected_result(one: Scan, lane_direction: str, exit_denied: str) -> str:
    """The rule once more, in the words of docs and design: what a scan is worth."""
    if one["at_ms"] > NOON_MS + 60_000:
        return "rejected:scan_from_future"
    if lane_direction not in ("both", one["direction"]):
        return "rejected:wrong_direction"
    through = one["verdict"] == "accepted" or one.get("manual", False)
    if one["medium"] == "code":
        [verdict] = core.verify_codes([one["code"]], [one["at_ms"] // 1000], keys=KEYS, policy=POLICY)
        if not verdict.accepted:
            return f"rejected:{verdict.name}"
        through = through or (one["verdict"], one["direction"], exit_denied) == ("denied", "exit", "accept")
        if one["verdict"] == "replayed" and not through:
            return "replayed"
    return "accepted" if through else f"rejected:{one['verdict']}"


def every_case() -> list[Scan]:
    shown: list[Scan] = [
        *({"medium": "code", "code": text} for text in (GOOD, FORGED, "nonsense")),
        {"medium": "plate", "plate": "VA 123"},
        {"medium": "ticket", "ticket": "7"},
    ]
    verdicts = ["accepted", "denied", "replayed", "no_bundle"]
    manuals: list[Scan] = [{}, {"manual": False}, {"manual": True}, {"manual": True, "lifted_by": "desk"}]
    times = [NOON_MS, NOON_MS + 60_000, NOON_MS + 60_001, NOON_MS - 31_000]
    cases = [
        {**what, "verdict": verdict, **manual, "at_ms": at_ms, "direction": direction}
        for what, verdict, manual, at_ms, direction in product(shown, verdicts, manuals, times, ["entry", "exit"])
    ]
    lifts = [
        {"medium": "lift", "verdict": verdict, **manuals[3], "at_ms": at_ms, "direction": direction}
        for verdict, at_ms, direction in product(verdicts, times, ["entry", "exit"])
    ]
    return [scan(seq, **case) for seq, case in enumerate(cases + lifts, start=1)]


@pytest.mark.parametrize("exit_denied", ["accept", "pay"])
@pytest.mark.parametrize("lane_direction", ["both", "entry", "exit"])
def test_every_scan_is_judged_by_the_rule(lane_direction: str, exit_denied: str) -> None:
    scans = every_case()
    judged = core.judge_uploads([(upload(scans), post(lane_direction, exit_denied))], now_ms=NOON_MS)
    expected = [expected_result(one, lane_direction, exit_denied) for one in scans]
    assert judged.result == expected
    assert judged.gate_verdict == [one["verdict"] for one in scans]
    assert judged.passage_row == [
        row for row, one in enumerate(scans) if one.get("code") == GOOD and expected[row] in ("accepted", "replayed")
    ]
    assert judged.sighting_row == [
        row for row, one in enumerate(scans) if one["medium"] != "code" and expected[row] == "accepted"
    ]
    assert judged.sighting_lifted_by == [scans[row].get("lifted_by") for row in judged.sighting_row]
    assert judged.sighting_text == [scans[row].get("plate", scans[row].get("ticket")) for row in judged.sighting_row]


def test_columns_tell_whose_passages_they_are() -> None:
    scans = [scan(1, code=GOOD), scan(2, medium="plate", plate="VA\0 123"), scan(3, code=code(2**63), direction="exit")]
    first, second = upload(scans), upload([scan(9, code=code(78, serial=2**63 - 1), verdict="replayed")])
    judged = core.judge_uploads([(first, post()), (second, post())], now_ms=NOON_MS, threads=2)
    assert len(judged) == 4
    assert (judged.upload, judged.seq) == ([0, 0, 0, 1], [1, 2, 3, 9])
    assert judged.at_ms == [NOON_MS] * 4
    assert judged.direction == ["entry", "entry", "exit", "entry"]
    assert judged.medium == ["code", "plate", "code", "code"]
    assert judged.result == ["accepted", "accepted", "accepted", "replayed"]
    assert (judged.unopened_row, judged.passage_row) == ([2], [0, 3])
    assert judged.passage_card_id[0] == CARD_ID
    assert judged.passage_bucket == [bucket_of(card_id) for card_id in judged.passage_card_id]
    assert judged.passage_serial == [1, 2**63 - 1]
    shown = core.decode_code(GOOD)
    assert (judged.passage_code_id[0], judged.passage_code_key[0]) == (shown.code_id, shown.credential.code_key)
    assert (judged.sighting_row, judged.sighting_text) == ([1], ["VA\N{REPLACEMENT CHARACTER} 123"])


def test_codes_are_opened_by_the_keys_of_their_post_only() -> None:
    stranger = core.UploadPost(KEYS, POLICY, core.SubjectKeys({KID + 1: SUBJECT_KEY}), "both", "accept")
    other = core.UploadPost(core.KeySet([]), POLICY, SUBJECT_KEYS, "both", "accept")
    one = upload([scan(1, code=GOOD)])
    judged = core.judge_uploads([(one, stranger), (one, other), (one, post())], now_ms=NOON_MS)
    assert judged.result == ["accepted", "rejected:unknown_kid", "accepted"]
    assert (judged.unopened_row, judged.passage_row) == ([0], [2])


def test_a_promise_that_is_broken_raises() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        core.SubjectKeys({1: b"short"})
    with pytest.raises(ValueError, match="lane_direction"):
        core.UploadPost(KEYS, POLICY, SUBJECT_KEYS, "in", "accept")
    with pytest.raises(ValueError, match="exit_denied"):
        core.UploadPost(KEYS, POLICY, SUBJECT_KEYS, "both", "free")
    assert core.judge_uploads([], now_ms=0).result == []


@settings(max_examples=25)
@given(st.lists(st.lists(st.sampled_from([GOOD, FORGED, "x", GOOD[:-1]]), min_size=1, max_size=6), max_size=5))
def test_uploads_together_are_judged_like_each_alone(codes: list[list[str]]) -> None:
    uploads = [upload([scan(seq, code=text) for seq, text in enumerate(texts, start=1)]) for texts in codes]
    cache = core.CredentialCache(100)
    together = core.judge_uploads([(one, post()) for one in uploads], now_ms=NOON_MS, cache=cache)
    alone = [core.judge_uploads([(one, post())], now_ms=NOON_MS, cache=cache) for one in uploads]
    assert together.result == [result for one in alone for result in one.result]
    assert together.upload == [place for place, one in enumerate(alone) for _ in one.result]
    flat = [text for texts in codes for text in texts]
    verdicts = core.verify_codes(flat, [NOON_S] * len(flat), keys=KEYS, policy=POLICY)
    assert [result.removeprefix("rejected:") for result in together.result] == [verdict.name for verdict in verdicts]


def numbers_of(column: str | bytes) -> list[int]:
    assert isinstance(column, str)
    return [int(number) for number in column.strip("{}").split(",")]


def texts_of(column: str | bytes) -> list[str]:
    assert isinstance(column, str)
    return column.split("\x1f")


def parts_of(column: str | bytes, size: int) -> list[bytes]:
    assert isinstance(column, bytes)
    return [column[start : start + size] for start in range(0, len(column), size)]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=5))
def test_columns_for_a_statement_say_what_the_lists_say_whatever_was_shown(shown: list[str]) -> None:
    first = upload([scan(seq, code=text or " ") for seq, text in enumerate(shown, start=1)])
    second = upload([scan(9, code=GOOD), scan(10, code="\x1f,{}\"\\'", verdict="no_bundle")])
    judged = core.judge_uploads([(first, post()), (second, post())], now_ms=NOON_MS)
    bucket, gate, seq, content, chain, at_ms, *texts = judged.event_columns([(1, 2**62), (1_023, -5)])
    assert numbers_of(bucket) == [1] * len(shown) + [1_023] * 2
    assert numbers_of(gate) == [2**62] * len(shown) + [-5] * 2
    assert (numbers_of(seq), numbers_of(at_ms)) == (judged.seq, judged.at_ms)
    assert (parts_of(content, 32), parts_of(chain, 32)) == (judged.content_sha256, judged.chain_sha256)
    expected = [judged.direction, judged.medium, judged.content, judged.gate_verdict, judged.result]
    assert [texts_of(column) for column in texts] == expected


def test_columns_of_passages_are_those_of_the_places_in_their_order() -> None:
    first = upload([scan(1, code=GOOD), scan(2, code=FORGED), scan(3, code=code(77, serial=5), direction="exit")])
    second = upload([scan(9, code=code(78, serial=2**63 - 1), at_ms=NOON_MS + 1)])
    judged = core.judge_uploads([(first, post()), (second, post())], now_ms=NOON_MS)
    assert judged.passage_row == [0, 2, 3]
    of_upload = [(4,), (8,)]
    for places in (None, [0, 1, 2], [2, 0]):
        chosen = [0, 1, 2] if places is None else places
        gate, bucket, seq, card, direction, at_ms, code_id, serial, key = judged.passage_columns(of_upload, places)
        rows = [judged.passage_row[place] for place in chosen]
        assert numbers_of(gate) == [of_upload[judged.upload[row]][0] for row in rows]
        assert numbers_of(bucket) == [judged.passage_bucket[place] for place in chosen]
        assert numbers_of(seq) == [judged.seq[row] for row in rows]
        assert numbers_of(card) == [judged.passage_card_id[place] for place in chosen]
        assert texts_of(direction) == [judged.direction[row] for row in rows]
        assert numbers_of(at_ms) == [judged.at_ms[row] for row in rows]
        assert parts_of(code_id, 16) == [judged.passage_code_id[place] for place in chosen]
        assert numbers_of(serial) == [judged.passage_serial[place] for place in chosen]
        assert parts_of(key, 32) == [judged.passage_code_key[place] for place in chosen]


def test_columns_of_other_uploads_or_passages_are_refused() -> None:
    judged = core.judge_uploads([(upload([scan(1, code=GOOD)]), post())], now_ms=NOON_MS)
    for of_upload in ([], [(1,), (2,)]):
        with pytest.raises(ValueError, match="as many numbers"):
            judged.event_columns(of_upload)
    with pytest.raises(IndexError, match="no passage"):
        judged.passage_columns([(1,)], [1])
