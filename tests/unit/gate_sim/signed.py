"""Test keys and what is signed with them: an operator, an issuer, a credential in a phone, a bundle."""

from pathlib import Path

from gate_sim.gate import Gate, Post
from gate_sim.journal import Journal
from gate_sim.phone import HeldCredential, Phone
from gate_sim.seed import Seed
from gate_sim.uplink import PATIENT, Habits
from gate_sim.wire import id_number
from parkflow import core

NOW_S = 1_508_500_800
OPERATOR = "op_000000000000f"
LOT = "lot_000000000001g"
LANE = "lane_000000000001"
ROOT_SECRET = b"r" * 32
ISSUER_SECRET = b"i" * 32
KID = 7


def bundle_of(
    version: int,
    *,
    denied: list[bytes] | None = None,
    expires_at_s: int = NOW_S + 3600,
    deny_filter: core.DenyFilter | None = None,
    root_secret: bytes = ROOT_SECRET,
) -> bytes:
    """The signed bundle that the service answers to a gate that asks for it."""
    key: core.BundleKey = {
        "kid": KID,
        "operator_id": id_number(OPERATOR),
        "product": core.PRODUCT_PARKING,
        "algorithm": core.ALGORITHM_ED25519,
        "not_before_s": NOW_S - 3600,
        "not_after_s": NOW_S + 86_400,
        "public_key": core.public_key(ISSUER_SECRET),
    }
    lot: core.BundleLot = {
        "lot_id": id_number(LOT),
        "product": core.PRODUCT_PARKING,
        "code_age_max_s": 30,
        "skew_s": 30,
        "exit_denied": "accept",
        "passback_s": 60,
        "risk": [{"ceiling_from": 0, "code_age_from_s": 0, "bundle_age_from_s": 1_800, "outcome": "flag"}],
        "lanes": [{"lane_id": id_number(LANE), "direction": "both"}],
    }
    return core.seal_bundle(
        root_secret,
        {
            "operator_id": id_number(OPERATOR),
            "version": version,
            "issued_at_s": NOW_S,
            "expires_at_s": expires_at_s,
            "keys": [key],
            "lots": [lot],
            "filter": None if deny_filter is None else (deny_filter.sha256, len(deny_filter)),
            "denied": b"".join(denied or []),
            "cleared": b"",
        },
    )


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


def make_gate(folder: Path, direction: str = "entry", bundle: bytes | None = None, habits: Habits = PATIENT) -> Gate:
    """A gate at LOT with a bundle."""
    gate = bare_gate(folder, direction, habits)
    gate.core.take_bundle(bundle or bundle_of(1), now_s=NOW_S)
    return gate


def bare_gate(folder: Path, direction: str = "entry", habits: Habits = PATIENT) -> Gate:
    """A gate at LOT with whatever its folder holds."""
    post = Post("gate_0000000000001", LOT, LANE, direction, b"g" * 32, core.public_key(ROOT_SECRET))
    return Gate(post, folder, now_ms=NOW_S * 1000, habits=habits)


def not_to_disk(journal: Journal) -> None:
    """For tests that write a lot and pull no plug."""
    journal._db.execute("pragma synchronous = off")
