"""Writes lotqr_v1.json from the format's description, without parkflow: the file is an oracle and not an echo.

All keys are TEST KEYS, made of a word each; nothing real may ever trust them.
Run: python tests/golden/write_lotqr_v1.py
"""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GOLDEN = Path(__file__).with_name("lotqr_v1.json")
NOON_S = 1_792_497_600  # Tuesday 2026-10-20 12:00 UTC
PURPOSES = {"entry": 1, "prepay": 2, "exit": 3}


def fixed_secret(word: str) -> bytes:
    return hashlib.sha256(f"parkflow TEST KEY {word}".encode()).digest()


def public_key(secret: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign(secret: bytes, purpose: str, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).sign(f"parkflow/{purpose}\0".encode() + message)


def base32(content: bytes) -> str:
    return base64.b32encode(content).decode().rstrip("=")


ROOT = fixed_secret("root")
STRANGER = fixed_secret("stranger")


@dataclass(frozen=True)
class Recipe:
    """What goes into one lot QR; the defaults make a good one."""

    version: int = 1
    operator_id: int = 0x0123_4567_89AB_CDEF
    lot_id: int = 0x1122_3344_5566_7788
    lane_id: int = 0x7FFF_FFFF_FFFF_FFFE
    purpose: int = 1
    issued_at_s: int = NOON_S
    secret: bytes = ROOT
    signed_as: str = "lotqr/1"

    def content(self) -> bytes:
        signed = (
            self.version.to_bytes(1, "big")
            + self.operator_id.to_bytes(8, "big", signed=True)
            + self.lot_id.to_bytes(8, "big", signed=True)
            + self.lane_id.to_bytes(8, "big", signed=True)
            + self.purpose.to_bytes(1, "big")
            + self.issued_at_s.to_bytes(4, "big")
        )
        return signed + sign(self.secret, self.signed_as, signed)

    def text(self) -> str:
        return base32(self.content())


@dataclass(frozen=True)
class Case:
    """A text, and what a verifier with the file's root key must answer: `good` or the refusal's name."""

    name: str
    text: str
    answer: str


GOOD = Recipe()


def flipped(place: int) -> str:
    """The good lot QR with the lowest bit of one byte turned over."""
    content = GOOD.content()
    return base32(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])


def text_cases() -> list[Case]:
    text, content = GOOD.text(), GOOD.content()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    unused_bit_set = text[:-1] + alphabet[alphabet.index(text[-1]) | 1]
    return [
        Case("good", text, "good"),
        Case("empty", "", "bad_length"),
        Case("200 characters are read", "A" * 200, "bad_length"),
        Case("201 characters are not", "A" * 201, "too_long"),
        Case("a web address", "HTTPS://PARK.EXAMPLE/L/", "bad_base32"),
        Case("the whole address of the sign", "HTTPS://PARK.EXAMPLE/L/" + text, "bad_base32"),
        Case("lower case", text.lower(), "bad_base32"),
        Case("one letter in lower case", text[:7] + text[7:].replace("A", "a", 1), "bad_base32"),
        Case("padded", text + "=", "bad_base32"),
        Case("a space before it", " " + text, "bad_base32"),
        Case("a line end after it", text + "\n", "bad_base32"),
        Case("a digit that is none of base32", "1" + text[1:], "bad_base32"),
        Case("full-width digits", text[:-1] + "２", "bad_base32"),
        Case("an unused bit is set", unused_bit_set, "bad_base32"),
        Case("one character short", text[:-1], "bad_base32"),
        Case("one byte short", base32(content[:-1]), "bad_length"),
        Case("one byte too many", base32(content + b"\0"), "bad_length"),
        Case("a code", "PF1:" + text[4:], "bad_base32"),
    ]


def field_cases() -> list[Case]:
    return [
        Case("prepay", replace(GOOD, purpose=2).text(), "good"),
        Case("exit", replace(GOOD, purpose=3).text(), "good"),
        Case("version 0", replace(GOOD, version=0).text(), "bad_version"),
        Case("version 2", replace(GOOD, version=2).text(), "bad_version"),
        Case("version 2 of no purpose", replace(GOOD, version=2, purpose=9).text(), "bad_version"),
        Case("purpose 0", replace(GOOD, purpose=0).text(), "bad_purpose"),
        Case("purpose 4", replace(GOOD, purpose=4).text(), "bad_purpose"),
        Case("purpose 4 by a stranger", replace(GOOD, purpose=4, secret=STRANGER).text(), "bad_purpose"),
    ]


def signature_cases() -> list[Case]:
    content = GOOD.content()
    order = (2**252 + 27742317777372353535851937790883648493).to_bytes(32, "little")
    s_plus_order = (int.from_bytes(content[62:], "little") + int.from_bytes(order, "little")).to_bytes(32, "little")
    other_purposes = ["credential/1", "code/1", "batch/1", "bundle/1", "enrol/1", "credential-request/1", "lotqr/2"]
    return [
        Case("signed by a stranger", replace(GOOD, secret=STRANGER).text(), "bad_signature"),
        *(
            Case(f"signed as {purpose}", replace(GOOD, signed_as=purpose).text(), "bad_signature")
            for purpose in other_purposes
        ),
        Case("operator changed", flipped(8), "bad_signature"),
        Case("lot changed", flipped(16), "bad_signature"),
        Case("lane changed", flipped(24), "bad_signature"),
        Case("purpose changed", base32(content[:25] + b"\x03" + content[26:]), "bad_signature"),
        Case("moment changed", flipped(29), "bad_signature"),
        Case("signature's R changed", flipped(30), "bad_signature"),
        Case("signature's S changed", flipped(62), "bad_signature"),
        Case("S not below L", base32(content[:62] + s_plus_order), "bad_signature"),
        Case("no signature", base32(content[:30] + bytes(64)), "bad_signature"),
    ]


def good_ones() -> list[dict[str, Any]]:
    recipes = [
        GOOD,
        replace(GOOD, purpose=2),
        replace(GOOD, purpose=3, operator_id=1, lot_id=2, lane_id=3, issued_at_s=0),
        replace(GOOD, operator_id=0, lot_id=0, lane_id=0, issued_at_s=2**32 - 1),
        replace(GOOD, operator_id=2**63 - 1, lot_id=-1, lane_id=-(2**63)),
    ]
    names = {number: name for name, number in PURPOSES.items()}
    return [
        {
            "fields": {
                "operator_id": recipe.operator_id,
                "lot_id": recipe.lot_id,
                "lane_id": recipe.lane_id,
                "purpose": names[recipe.purpose],
                "issued_at_s": recipe.issued_at_s,
            },
            "bytes": recipe.content().hex(),
            "text": recipe.text(),
        }
        for recipe in recipes
    ]


def contents() -> dict[str, Any]:
    return {
        "note": "TEST KEYS, public for ever: never trust them. Written by write_lotqr_v1.py from the format alone.",
        "root_secret": ROOT.hex(),
        "root_public_key": public_key(ROOT).hex(),
        "good": good_ones(),
        "cases": [asdict(case) for case in text_cases() + field_cases() + signature_cases()],
    }


def rendered() -> str:
    return json.dumps(contents(), indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(rendered(), encoding="ascii")
