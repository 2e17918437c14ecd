"""Test keys and what is signed with them: an operator, an issuer, a credential in a phone, a bundle."""

import json
from pathlib import Path

from gate_sim.gate import Gate, Post
from gate_sim.phone import HeldCredential, Phone
from gate_sim.seed import Seed
from gate_sim.wire import to_base64url, to_instant_text
from parkflow import core

NOW_S = 1_508_500_800
OPERATOR = "op_000000000000f"
LOT = "lot_000000000001g"
ROOT_SECRET = b"r" * 32
ISSUER_SECRET = b"i" * 32
KID = 7


def bundle_answer(version: int, *, denied: list[bytes] | None = None, expires_at_s: int = NOW_S + 3600) -> bytes:
    """What the service answers to a gate that asks for its bundle."""
    payload = json.dumps(
        {
            "version": version,
            "operator_id": OPERATOR,
            "issued_at": to_instant_text(NOW_S * 1000),
            "expires_at": to_instant_text(expires_at_s * 1000),
            "keys": [
                {
                    "kid": KID,
                    "public_key": to_base64url(core.public_key(ISSUER_SECRET)),
                    "product": 1,
                    "not_before": to_instant_text((NOW_S - 3600) * 1000),
                    "not_after": to_instant_text((NOW_S + 86_400) * 1000),
                    "operator_id": OPERATOR,
                }
            ],
            "denied": [to_base64url(subject) for subject in denied or []],
            "lots": [
                {
                    "lot_id": LOT,
                    "product": core.PRODUCT_PARKING,
                    "code_age_max_seconds": 30,
                    "skew_seconds": 30,
                    "exit_denied": "accept",
                }
            ],
        }
    ).encode()
    signature = core.sign_message(ROOT_SECRET, "bundle/1", payload)
    return json.dumps(
        {"version": version, "payload": to_base64url(payload), "signature": to_base64url(signature)}
    ).encode()


def phone_with_credential(name: str = "ann") -> tuple[Phone, bytes]:
    """A phone that may show codes around NOW_S, and the subject of its credential."""
    phone = Phone(Seed(1), name)
    code_secret = phone.next_code_secret()
    subject = core.seal_subject(b"k" * 16, sum(name.encode()), 1)
    fields = core.CredentialFields(
        kid=KID,
        subject=subject,
        code_key=phone.code_key(code_secret),
        not_before_s=NOW_S - 60,
        lifetime_minutes=1440,
        product=core.PRODUCT_PARKING,
        ceiling=0,
    )
    credential = core.issue_credential(ISSUER_SECRET, fields)
    phone.held = HeldCredential(credential, code_secret, NOW_S + 86_340)
    return phone, subject


def make_gate(folder: Path, direction: str = "entry", bundle: bytes | None = None) -> Gate:
    """A gate at LOT with a bundle."""
    post = Post("gate_0000000000001", LOT, "lane_0000000000001", direction, b"g" * 32, core.public_key(ROOT_SECRET))
    gate = Gate(post, folder, now_ms=NOW_S * 1000)
    gate.shelf.take(bundle or bundle_answer(1), now_s=NOW_S)
    return gate
