"""How long a gate thinks about a code: measured with the gate library itself, on codes of cards it has never seen."""

import os
import secrets
import tempfile
import time
from typing import Final

from parkflow import core

DECISIONS: Final = 500
_AT_S: Final = 1_700_000_000
_DAY_S: Final = 86_400
_KID: Final = 1
_OPERATOR: Final = 1
_LOT: Final = 2
_LANE: Final = 3


def decision_p99_us(decisions: int = DECISIONS, denied: int = 0) -> int:
    """What 99 of 100 decisions at an exit do not exceed, in microseconds, rounded up.

    Each is about a code with both of its signatures to check; `denied` cards are in the gate's filter.
    """
    root_secret, issuer_secret = secrets.token_bytes(32), secrets.token_bytes(32)
    deny_filter = core.DenyFilter.build(os.urandom(denied * core.SUBJECT_BYTES)) if denied else None
    with tempfile.TemporaryDirectory() as folder:
        gate = core.Gate(core.public_key(root_secret), _LOT, _LANE, folder=folder)
        bundle = _bundle(root_secret, core.public_key(issuer_secret), deny_filter)
        gate.take_bundle(bundle, now_s=_AT_S, filter=bytes(deny_filter) if deny_filter else None)
        taken_ns = sorted(_decision_ns(gate, _code(issuer_secret, number)) for number in range(decisions))
    return -(-taken_ns[(99 * decisions + 99) // 100 - 1] // 1_000)


def _decision_ns(gate: core.Gate, code: str) -> int:
    begun_ns = time.perf_counter_ns()
    decision = gate.decide(code, "exit", now_s=_AT_S)
    taken_ns = time.perf_counter_ns() - begun_ns
    assert decision.opens
    return taken_ns


def _code(issuer_secret: bytes, number: int) -> str:
    code_secret = secrets.token_bytes(32)
    fields = core.CredentialFields(
        kid=_KID,
        subject=secrets.token_bytes(core.SUBJECT_BYTES),
        code_key=core.public_key(code_secret),
        not_before_s=_AT_S - 3_600,
        lifetime_minutes=1_440,
        product=core.PRODUCT_PARKING,
        ceiling=0,
    )
    return core.make_code(core.issue_credential(issuer_secret, fields), code_secret, _AT_S - 5, number)


def _bundle(root_secret: bytes, issuer_key: bytes, deny_filter: core.DenyFilter | None) -> bytes:
    key: core.BundleKey = {
        "kid": _KID,
        "operator_id": _OPERATOR,
        "product": core.PRODUCT_PARKING,
        "algorithm": core.ALGORITHM_ED25519,
        "not_before_s": _AT_S - _DAY_S,
        "not_after_s": _AT_S + _DAY_S,
        "public_key": issuer_key,
    }
    lot: core.BundleLot = {
        "lot_id": _LOT,
        "product": core.PRODUCT_PARKING,
        "code_age_max_s": 30,
        "skew_s": 30,
        "exit_denied": "accept",
        "passback_s": 60,
        "risk": [],
        "lanes": [{"lane_id": _LANE, "direction": "exit"}],
    }
    content: core.BundleContent = {
        "operator_id": _OPERATOR,
        "version": 1,
        "issued_at_s": _AT_S,
        "expires_at_s": _AT_S + _DAY_S,
        "keys": [key],
        "lots": [lot],
        "filter": None if deny_filter is None else (deny_filter.sha256, len(deny_filter)),
        "denied": b"",
        "cleared": b"",
    }
    return core.seal_bundle(root_secret, content)
