"""Codes: both signatures of a code, singly, in batches, beside OpenSSL; and a gate with a million denied cards.

Everything that is compared is measured in turns within one run. A ratio is the median of the ratios of all turns, so
that a machine that is slower for a while is so for both; a time is the best of all turns.
"""

import os
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bench.code_backends import ROOT, backends
from bench.registry import Figures, area
from parkflow import core

BATCH = 256
TURNS = 25
TURN_SECONDS = 0.06
DECISIONS = 2_000
DENIED = 1_000_000
DELTA = 4_000
AT_S = 1_700_000_000
KID = 1
OPERATOR, LOT, LANE = 1, 2, 3
CORES = 2
DELTA_ROUNDS = 20
_PREFIXES = (b"parkflow/credential/1\0", b"parkflow/code/1\0")


@dataclass(frozen=True)
class Town:
    """Codes of distinct devices under one issuer."""

    issuer_secret: bytes
    keys: core.KeySet
    texts: list[str]

    @property
    def at_s(self) -> list[int]:
        return [AT_S] * len(self.texts)


@area("codes")
def measure() -> Figures:
    """A batch is 256 codes of as many devices, all honest unless it says poisoned; one core unless it says two."""
    town = _town(BATCH)
    turns = _turns(_contestants(town))

    def ratio(slow: str, fast: str) -> float:
        return statistics.median(turn[slow] / turn[fast] for turn in turns)

    def best_us(name: str) -> float:
        return min(turn[name] for turn in turns) * 1e6 / BATCH

    return {
        "batch_cold_vs_cryptography": ratio("cryptography", "cold"),
        "batch_cold_vs_single": ratio("single", "cold"),
        "batch_warm_vs_cryptography": ratio("cryptography", "warm"),
        "batch_warm_vs_single": ratio("single", "warm"),
        "batch_warm_vs_warm_single": ratio("single_warm", "warm"),
        "two_core_speedup": ratio("large", "large_two_cores"),
        "poisoned_vs_single": ratio("single", "poisoned"),
        "hopeless_vs_single": ratio("single", "hopeless"),
        "verify_single_per_second": 1e6 / best_us("single"),
        "verify_batch_per_second": 1e6 / best_us("cold"),
        "cryptography_us": best_us("cryptography"),
        "single_us": best_us("single"),
        "batch_cold_us": best_us("cold"),
        "batch_warm_us": best_us("warm"),
        "code_chars": len(town.texts[0]),
        **_gate_figures(),
        **backends(),
    }


def _contestants(town: Town) -> Mapping[str, Callable[[], object]]:
    policy, cache = core.Policy(), core.CredentialCache(4 * BATCH)
    verify = partial(core.verify_codes, keys=town.keys, policy=policy, threads=1)
    cold = partial(verify, town.texts, town.at_s)
    assert all(verdict.accepted for verdict in verify(town.texts, town.at_s, cache=cache))
    large, large_at_s = town.texts * 8, town.at_s * 8
    poisoned = [*town.texts[: BATCH // 3], _forged(town.texts[BATCH // 3]), *town.texts[BATCH // 3 + 1 :]]
    assert [verdict.accepted for verdict in verify(poisoned, town.at_s)].count(False) == 1
    hopeless = [_forged(text) for text in town.texts]
    issuer = Ed25519PublicKey.from_public_bytes(core.public_key(town.issuer_secret))

    def one_by_one(verified: core.CredentialCache | None) -> None:
        for text in town.texts:
            core.verify_code(text, now_s=AT_S, keys=town.keys, policy=policy, cache=verified)

    return {
        "cryptography": partial(_openssl, issuer, [bytes(core.decode_code(text)) for text in town.texts]),
        "single": partial(one_by_one, None),
        "single_warm": partial(one_by_one, cache),
        "cold": cold,
        "warm": partial(verify, town.texts, town.at_s, cache=cache),
        "poisoned": partial(verify, poisoned, town.at_s),
        "hopeless": partial(verify, hopeless, town.at_s),
        "large": partial(verify, large, large_at_s),
        "large_two_cores": partial(core.verify_codes, large, large_at_s, keys=town.keys, policy=policy, threads=CORES),
    }


def _turns(contestants: Mapping[str, Callable[[], object]]) -> list[dict[str, float]]:
    """Seconds of each contestant, turn by turn."""
    for work in contestants.values():
        work()
    return [{name: _seconds(work) for name, work in contestants.items()} for _ in range(TURNS)]


def _seconds(work: Callable[[], object]) -> float:
    """Of one run, over as many as fill the same time for everybody: a short one is not measured on a cold cache."""
    runs, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < TURN_SECONDS:
        work()
        runs += 1
    return passed / runs


def _openssl(issuer: Ed25519PublicKey, codes: list[bytes]) -> None:
    """Both signatures of each code; text, windows and everything else are left out in OpenSSL's favour."""
    for content in codes:
        issuer.verify(content[62:126], _PREFIXES[0] + content[:62])
        code_key = Ed25519PublicKey.from_public_bytes(content[21:53])
        code_key.verify(content[132:], _PREFIXES[1] + content[:132])


def _gate_figures() -> Figures:
    """One gate: a decision about a code whose credential it has never seen, and what a million denied cards cost it."""
    town, root_secret = _town(DECISIONS), secrets.token_bytes(32)
    deny_filter = core.DenyFilter.build(os.urandom(DENIED * core.SUBJECT_BYTES))
    root_key = core.public_key(root_secret)
    with tempfile.TemporaryDirectory() as folder:
        gate = core.Gate(root_key, LOT, LANE, folder=folder)
        bundle = partial(_bundle, root_secret, town, deny_filter)
        gate.take_bundle(bundle(1, 0), now_s=AT_S, filter=bytes(deny_filter))
        taken = sorted(_decision_us(gate, text) for text in town.texts)
        applied = sorted(_applied_ms(gate, bundle(2 + number, DELTA)) for number in range(DELTA_ROUNDS))
        memory = _gate_memory(folder, root_key)
    return {
        "gate_decision_p50_us": taken[len(taken) // 2],
        "gate_decision_p99_us": taken[len(taken) * 99 // 100],
        "filter_bytes_1m": len(deny_filter),
        "gate_memory_1m_bytes": memory,
        "delta_apply_ms": applied[len(applied) // 2],
    }


def _gate_memory(folder: str, root_key: bytes) -> int:
    """Bytes by which a gate's process grows when it loads its bundle and filter from the disk."""
    command = ["cargo", "run", "--locked", "--quiet", "--release", "--package", "parkflow-gate"]
    command += ["--example", "gate_memory", "--", folder, root_key.hex(), str(LOT), str(LANE)]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def _decision_us(gate: core.Gate, text: str) -> float:
    begun = time.perf_counter_ns()
    gate.decide(text, "entry", now_s=AT_S)
    return (time.perf_counter_ns() - begun) / 1e3


def _applied_ms(gate: core.Gate, bundle: bytes) -> float:
    """The next bundle, with other exact entries beside the same filter: verified, on the disk, in use."""
    begun = time.perf_counter_ns()
    gate.take_bundle(bundle, now_s=AT_S)
    return (time.perf_counter_ns() - begun) / 1e6


def _bundle(root_secret: bytes, town: Town, deny_filter: core.DenyFilter, version: int, delta: int) -> bytes:
    lot: core.BundleLot = {
        "lot_id": LOT,
        "product": 1,
        "code_age_max_s": 30,
        "skew_s": 30,
        "exit_denied": "accept",
        "passback_s": 60,
        "risk": [],
        "lanes": [{"lane_id": LANE, "direction": "both"}],
    }
    keys: list[core.BundleKey] = [
        {
            "kid": KID + number,
            "operator_id": OPERATOR,
            "product": 0,
            "algorithm": core.ALGORITHM_ED25519,
            "not_before_s": AT_S - 86_400,
            "not_after_s": AT_S + 86_400,
            "public_key": core.public_key(town.issuer_secret if number == 0 else secrets.token_bytes(32)),
        }
        for number in range(32)
    ]
    return core.seal_bundle(
        root_secret,
        {
            "operator_id": OPERATOR,
            "version": version,
            "issued_at_s": AT_S,
            "expires_at_s": AT_S + 86_400,
            "keys": keys,
            "lots": [lot],
            "filter": (deny_filter.sha256, len(deny_filter)),
            "denied": os.urandom(delta * core.SUBJECT_BYTES),
            "cleared": b"",
        },
    )


def _town(devices: int) -> Town:
    issuer_secret = secrets.token_bytes(32)
    keys = core.KeySet([core.IssuerKey(KID, core.public_key(issuer_secret), 1, 1, AT_S - 86_400, AT_S + 86_400)])
    return Town(issuer_secret, keys, [_code(issuer_secret, nonce) for nonce in range(devices)])


def _code(issuer_secret: bytes, nonce: int) -> str:
    code_secret = secrets.token_bytes(32)
    fields = core.CredentialFields(
        kid=KID,
        subject=secrets.token_bytes(16),
        code_key=core.public_key(code_secret),
        not_before_s=AT_S - 3_600,
        lifetime_minutes=1_440,
        product=1,
        ceiling=0,
    )
    return core.make_code(core.issue_credential(issuer_secret, fields), code_secret, AT_S - 5, nonce)


def _forged(text: str) -> str:
    """The same code with a moment that its phone did not sign."""
    content = bytearray(bytes(core.decode_code(text)))
    content[129] ^= 1
    return core.PREFIX + core.encode_base45(bytes(content))
