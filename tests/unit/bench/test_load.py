"""What the load is made of: a folded day, an agenda that no answer changes, journals that chain, gates' signatures."""

import hashlib
import json
import time
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

from bench.load.agenda import LOOK, POLL, UPLOAD, Exit, Rhythm, acts_of
from bench.load.cards import Phone
from bench.load.folded import exit_times, steady_times
from bench.load.journals import Chain, Upload, body_of, check_codes
from bench.load.sender import percentile, schedule
from bench.load.signing import Signer
from bench.load.town import TownGate
from parkflow import core
from tests.street import Message

SECRET = bytes(range(32))
_FIELDS = core.CredentialFields(
    kid=1,
    subject=bytes(16),
    code_key=core.public_key(SECRET),
    not_before_s=1_699_990_000,
    lifetime_minutes=1_440,
    product=1,
    ceiling=0,
)
PHONE = Phone(core.issue_credential(SECRET, _FIELDS), SECRET + core.public_key(SECRET))
GATE = TownGate(7, "gate_0000000000007", SECRET, 0, 0, "exit")


def test_the_folded_day_has_its_burst() -> None:
    times = exit_times(seconds=90, seed=1)
    assert len(times) == 20_422
    assert times == exit_times(seconds=90, seed=1)
    assert min(last - first for first, last in zip(times, times[2_387:], strict=False)) < 1


def test_a_part_of_the_day_is_in_proportion() -> None:
    assert 1_900 < len(exit_times(seconds=20, seed=1, share=0.1)) < 2_150


def test_steady_cars_come_at_their_rate() -> None:
    assert 900 < len(steady_times(per_second=100, seconds=10, seed=1)) < 1_100


def test_every_gate_uploads_after_its_last_car() -> None:
    exits = [[Exit(at, 0, place) for place, at in enumerate(exit_times(seconds=20, seed=1, share=0.1))], []]
    acts = acts_of(exits, Rhythm(), gates=4, seconds=20, seed=1)
    assert acts == sorted(acts)
    for gate in range(4):
        assert max(act.due for act in acts if (act.kind, act.number) == (UPLOAD, gate)) >= exits[0][-1].due
        assert sum((act.kind, act.number) == (POLL, gate) for act in acts) >= 2
    looks = [act for act in acts if act.kind == LOOK]
    assert 0.2 < len(looks) / len(exits[0]) < 0.3


def test_codes_of_the_load_are_those_of_phones() -> None:
    check_codes([PHONE])


def test_a_journal_is_chained_over_canonical_scans() -> None:
    chain = Chain("exit")
    scans = [chain.append(PHONE, 1_700_000_000_000 + place) for place in range(3)]
    content = json.loads(body_of(5, 1, "00" * 32, b",".join(scans), at_ms=1_700_000_000_000, last_sync_ms=0))
    assert [scan["seq"] for scan in content["scans"]] == [1, 2, 3]
    expected = bytes(32)
    for scan in content["scans"]:
        canonical = json.dumps(scan, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        expected = hashlib.sha256(expected + hashlib.sha256(canonical).digest()).digest()
    assert chain.hash == expected
    assert len({scan["code"] for scan in content["scans"]}) == 3


def test_batches_are_due_at_the_wanted_rate_whatever_is_answered() -> None:
    gates = [TownGate(number, "", SECRET, 0, 0, "exit") for number in range(20)]
    uploads = [Upload(gate, 1, 1 + 500 * number, 500, "", 0, Path(), 0, 0) for number in range(50) for gate in gates]
    due = schedule(uploads, scans_per_s=5_000, seconds=10, seed=1)
    assert 95 <= len(due) <= 105
    for gate in gates:
        sequence = [upload.first_seq for _, upload in due if upload.gate == gate]
        assert sequence == sorted(sequence)


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([3, 1, 2], share) for share in (0, 0.5, 0.99)] == [1, 2, 3]


def test_the_signature_is_as_the_standard_wants_it() -> None:
    class OneKey(HTTPSignatureKeyResolver):
        def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
            assert key_id == GATE.text
            return Ed25519PublicKey.from_public_bytes(core.public_key(SECRET))

    body = b'{"epoch":1}'
    signer = Signer(GATE.text, SECRET, "127.0.0.1:8000")
    path = signer.path("scans")
    headers = signer.headers("POST", path, body, created_s=int(time.time()))
    message = Message("POST", f"http://127.0.0.1:8000{path}", {**headers, "host": "127.0.0.1:8000"})
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=OneKey())
    [result] = verifier.verify(message, max_age=timedelta(seconds=60), expect_tag="parkflow-gate", body=body)
    assert set(result.covered_components) >= {'"@method"', '"@authority"', '"@path"', '"@query"', '"content-digest"'}
    assert len(result.nonce or "") > 8
