"""Writes code_v1.json from the format's description, without parkflow: the file is an oracle and not an echo.

All keys are TEST KEYS, made of a word each; nothing real may ever trust them. Run: python tests/golden/write_code_v1.py
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

GOLDEN = Path(__file__).with_name("code_v1.json")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
NOON_S = 1_792_497_600  # Tuesday 2026-10-20 12:00 UTC


def fixed_secret(word: str) -> bytes:
    return hashlib.sha256(f"parkflow TEST KEY {word}".encode()).digest()


def public_key(secret: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign(secret: bytes, purpose: str, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).sign(f"parkflow/{purpose}\0".encode() + message)


def base45(content: bytes) -> str:
    text = ""
    for start in range(0, len(content), 2):
        group = content[start : start + 2]
        number = int.from_bytes(group, "big")
        for _ in range(len(group) + 1):
            number, digit = divmod(number, 45)
            text += ALPHABET[digit]
    return text


ISSUER = fixed_secret("issuer")
STRANGER = fixed_secret("stranger")
PHONE = fixed_secret("phone")
SUBJECT_KEY = fixed_secret("subject")[:16]


def seal(card_id: int, serial: int) -> bytes:
    block = card_id.to_bytes(8, "big") + serial.to_bytes(8, "big")
    encryptor = Cipher(algorithms.AES128(SUBJECT_KEY), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


@dataclass(frozen=True)
class Recipe:
    """What goes into one code; the defaults make a good one."""

    version: int = 1
    kid: int = 20_261_001
    subject: bytes = seal(0x0123_4567_89AB_CDEF, 42)
    code_key: bytes = public_key(PHONE)
    not_before_s: int = NOON_S - 3_600
    lifetime_minutes: int = 1_440
    product: int = 1
    ceiling: int = 200
    issuer_secret: bytes = ISSUER
    issuer_purpose: str = "credential/1"
    issued_at_s: int = NOON_S
    nonce: int = 0xBEEF
    phone_secret: bytes = PHONE
    phone_purpose: str = "code/1"

    def credential(self) -> bytes:
        signed = (
            self.version.to_bytes(1, "big")
            + self.kid.to_bytes(4, "big")
            + self.subject
            + self.code_key
            + self.not_before_s.to_bytes(4, "big")
            + self.lifetime_minutes.to_bytes(2, "big")
            + self.product.to_bytes(1, "big")
            + self.ceiling.to_bytes(2, "big")
        )
        return signed + sign(self.issuer_secret, self.issuer_purpose, signed)

    def code(self) -> bytes:
        signed = self.credential() + self.issued_at_s.to_bytes(4, "big") + self.nonce.to_bytes(2, "big")
        return signed + sign(self.phone_secret, self.phone_purpose, signed)

    def text(self) -> str:
        return "PF1:" + base45(self.code())

    def code_id(self) -> bytes:
        moment = self.issued_at_s.to_bytes(4, "big") + self.nonce.to_bytes(2, "big")
        return hashlib.sha256(b"parkflow/code/1\0" + self.code_key + moment).digest()[:16]


@dataclass(frozen=True)
class Case:
    """A text shown at a moment, and what a verifier with the file's keys must answer."""

    name: str
    text: str
    reason: str
    now_s: int = NOON_S + 5
    denied: bool = False
    seen: bool = False
    product: int | None = None
    fee_due_units: int | None = None


GOOD = Recipe()


def flipped(content: bytes, place: int) -> str:
    """The good code with the lowest bit of one byte turned over."""
    return "PF1:" + base45(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])


def text_cases() -> list[Case]:
    text, code = GOOD.text(), GOOD.code()
    return [
        Case("empty", "", "bad_prefix"),
        Case("400 characters are read", "PF1:" + "0" * 396, "bad_length"),
        Case("401 characters are not", "PF1:" + "0" * 397, "too_long"),
        Case("a web address", "HTTPS://EXAMPLE.ORG/", "bad_prefix"),
        Case("lower-case prefix", "pf1:" + text[4:], "bad_prefix"),
        Case("a space before it", " " + text, "bad_prefix"),
        Case("another version of the text", "PF2:" + text[4:], "bad_prefix"),
        Case("lower-case letters", "PF1:" + text[4:].lower(), "bad_base45"),
        Case("a line end after it", text + "\n", "bad_base45"),
        Case("full-width digits", "PF1:" + text[4:-1] + "０", "bad_base45"),
        Case("a group above 65535", "PF1:GGW" + text[7:], "bad_base45"),
        Case("one character short", text[:-1], "bad_base45"),
        Case("one byte too many", "PF1:" + base45(code + b"\0"), "bad_length"),
        Case("one byte short", "PF1:" + base45(code[:-1]), "bad_length"),
        Case("prefix alone", "PF1:", "bad_length"),
        Case("version 0", replace(GOOD, version=0).text(), "bad_version"),
        Case("version 2", replace(GOOD, version=2).text(), "bad_version"),
    ]


def claim_cases() -> list[Case]:
    text = GOOD.text()
    end_s = GOOD.not_before_s + GOOD.lifetime_minutes * 60
    kid_end_s = NOON_S + 10 * 86_400
    late = replace(GOOD, not_before_s=kid_end_s - 3_600)
    early = replace(GOOD, not_before_s=NOON_S - 12 * 86_400, issued_at_s=NOON_S - 10 * 86_400 - 1)
    long = replace(GOOD, lifetime_minutes=4_321)
    return [
        Case("good", text, "accepted"),
        Case("good, fee at the ceiling", text, "accepted", fee_due_units=200),
        Case("good, right product", text, "accepted", product=1),
        Case("good, as old as allowed", text, "accepted", now_s=NOON_S + 60),
        Case("good, as far ahead as allowed", text, "accepted", now_s=NOON_S - 30),
        Case("good, no ceiling", replace(GOOD, ceiling=0).text(), "accepted", fee_due_units=65_536),
        Case("good, first second of the credential", replace(GOOD, not_before_s=NOON_S).text(), "accepted"),
        Case("good, last second", replace(GOOD, issued_at_s=end_s - 1).text(), "accepted", now_s=end_s + 5),
        Case("good, 72 hours", replace(GOOD, lifetime_minutes=4_320).text(), "accepted"),
        Case("unknown kid", replace(GOOD, kid=1).text(), "unknown_kid"),
        Case("issuer key ended", replace(late, issued_at_s=kid_end_s).text(), "kid_expired", now_s=kid_end_s),
        Case("issuer key not begun", early.text(), "not_yet_valid", now_s=early.issued_at_s),
        Case("credential not begun", replace(GOOD, not_before_s=NOON_S + 1).text(), "not_yet_valid"),
        Case("credential ended", replace(GOOD, issued_at_s=end_s).text(), "credential_expired", now_s=end_s),
        Case("lifetime above 72 hours", long.text(), "credential_expired"),
        Case("lifetime of nothing", replace(GOOD, lifetime_minutes=0).text(), "credential_expired"),
        Case("too old by a second", text, "code_stale", now_s=NOON_S + 61),
        Case("too far ahead by a second", text, "code_from_future", now_s=NOON_S - 31),
        Case("denied", text, "denied", denied=True),
        Case("denied and seen", text, "denied", denied=True, seen=True),
        Case("seen before", text, "replayed", seen=True),
        Case("the bus takes no parking code", text, "wrong_product", product=2),
        Case("the issuer key is for parking", replace(GOOD, product=2).text(), "wrong_product"),
        Case("fee above the ceiling", text, "over_ceiling", fee_due_units=201),
    ]


def signature_cases() -> list[Case]:
    code, text = GOOD.code(), GOOD.text()
    order = (2**252 + 27742317777372353535851937790883648493).to_bytes(32, "little")
    s_plus_order = (int.from_bytes(code[164:], "little") + int.from_bytes(order, "little")).to_bytes(32, "little")
    mixed = replace(GOOD, issuer_purpose="code/1", phone_secret=STRANGER)
    return [
        Case("signed by a stranger", replace(GOOD, issuer_secret=STRANGER).text(), "bad_issuer_signature"),
        Case("credential signed as a bundle", replace(GOOD, issuer_purpose="bundle/1").text(), "bad_issuer_signature"),
        Case("both signatures bad", mixed.text(), "bad_issuer_signature"),
        Case("subject changed", flipped(code, 5), "bad_issuer_signature"),
        Case("code key changed", flipped(code, 21), "bad_issuer_signature"),
        Case("ceiling changed", flipped(code, 61), "bad_issuer_signature"),
        Case("issuer signature's R changed", flipped(code, 62), "bad_issuer_signature"),
        Case("issuer signature's S changed", flipped(code, 94), "bad_issuer_signature"),
        Case("made by another phone", replace(GOOD, phone_secret=STRANGER).text(), "bad_code_signature"),
        Case("code signed as a batch", replace(GOOD, phone_purpose="batch/1").text(), "bad_code_signature"),
        Case("moment changed", flipped(code, 129), "bad_code_signature"),
        Case("nonce changed", flipped(code, 131), "bad_code_signature"),
        Case("code signature's R changed", flipped(code, 132), "bad_code_signature"),
        Case("code signature's S changed", flipped(code, 164), "bad_code_signature"),
        Case("S not below L", "PF1:" + base45(code[:164] + s_plus_order), "bad_code_signature"),
        Case("a bad signature stays unread when denied", flipped(code, 164), "denied", denied=True),
        Case("the good one again", text, "accepted"),
    ]


def contents() -> dict[str, Any]:
    purposes = ["batch/1", "bundle/1", "lotqr/1", "enrol/1", "credential-request/1", "credential/1", "code/1"]
    return {
        "note": "TEST KEYS, public for ever: never trust them. Written by write_code_v1.py from the format alone.",
        "issuer_secret": ISSUER.hex(),
        "issuer_public_key": public_key(ISSUER).hex(),
        "issuer_window_s": [NOON_S - 10 * 86_400, NOON_S + 10 * 86_400],
        "issuer_product": 1,
        "code_secret": PHONE.hex(),
        "subject_key": SUBJECT_KEY.hex(),
        "card_id": 0x0123_4567_89AB_CDEF,
        "serial": 42,
        "fields": {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in asdict(GOOD).items()
            if name in ["kid", "subject", "code_key", "not_before_s", "lifetime_minutes", "product", "ceiling"]
        },
        "credential": GOOD.credential().hex(),
        "issued_at_s": GOOD.issued_at_s,
        "nonce": GOOD.nonce,
        "code": GOOD.code().hex(),
        "text": GOOD.text(),
        "code_id": GOOD.code_id().hex(),
        "message_signatures": {purpose: sign(ISSUER, purpose, b"message").hex() for purpose in purposes},
        "cases": [asdict(case) for case in text_cases() + claim_cases() + signature_cases()],
    }


def rendered() -> str:
    return json.dumps(contents(), indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(rendered(), encoding="ascii")
