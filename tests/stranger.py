"""A verifier by somebody who has read docs/code-format.md and nothing else of parkflow."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DIGITS = {character: value for value, character in enumerate(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")}
FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER = {
    bytes.fromhex(point)
    for point in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
}


@dataclass(frozen=True)
class Kid:
    """An issuer key of the bundle; times in unix seconds, `product` None for any."""

    public_key: bytes
    product: int | None
    not_before: int
    not_after: int


@dataclass(frozen=True)
class Gate:
    """What a gate goes by: its keys, its settings and what it remembers."""

    keys: Mapping[int, Kid]
    denied: Collection[bytes] = ()
    remembered: Collection[bytes] = ()
    code_age_max: int = 30
    skew: int = 30
    product: int | None = None
    fee: int | None = None

    def reason(self, text: bytes, now: int) -> str:
        """The name of the first reason to refuse the text shown at `now`, or `accepted`."""
        if len(text) > 400:
            return "too_long"
        if not text.startswith(b"PF1:"):
            return "bad_prefix"
        code = base45(text[4:])
        if code is None:
            return "bad_base45"
        if len(code) != 196:
            return "bad_length"
        if code[0] != 1:
            return "bad_version"
        key = self.keys.get(number(code[1:5]))
        if key is None:
            return "unknown_kid"
        return outside_windows(code, key) or self._not_here(code, key, now) or badly_signed(code, key) or "accepted"

    def _not_here(self, code: bytes, key: Kid, now: int) -> str | None:
        issued_at, product, ceiling = number(code[126:130]), code[59], number(code[60:62])
        if now - issued_at > self.code_age_max + self.skew:
            return "code_stale"
        if issued_at - now > self.skew:
            return "code_from_future"
        if code[5:21] in self.denied:
            return "denied"
        if code_id(code) in self.remembered:
            return "replayed"
        if key.product not in (None, product) or self.product not in (None, product):
            return "wrong_product"
        if ceiling != 0 and self.fee is not None and self.fee > ceiling:
            return "over_ceiling"
        return None


def number(content: bytes) -> int:
    return int.from_bytes(content, "big")


def base45(text: bytes) -> bytes | None:
    """The bytes of a strict Base45 text; None for every other text."""
    content = b""
    for start in range(0, len(text), 3):
        group = text[start : start + 3]
        if len(group) == 1 or any(character not in DIGITS for character in group):
            return None
        value = sum(DIGITS[character] * 45**place for place, character in enumerate(group))
        if value >= 256 ** (len(group) - 1):
            return None
        content += value.to_bytes(len(group) - 1, "big")
    return content


def outside_windows(code: bytes, key: Kid) -> str | None:
    issued_at, not_before, lifetime = number(code[126:130]), number(code[53:57]), number(code[57:59])
    if issued_at >= key.not_after:
        return "kid_expired"
    if issued_at < key.not_before or issued_at < not_before:
        return "not_yet_valid"
    if lifetime > 4320 or issued_at >= not_before + 60 * lifetime:
        return "credential_expired"
    return None


def code_id(code: bytes) -> bytes:
    return hashlib.sha256(b"parkflow/code/1\0" + code[21:53] + code[126:132]).digest()[:16]


def badly_signed(code: bytes, key: Kid) -> str | None:
    if not signed(key.public_key, b"parkflow/credential/1\0" + code[:62], code[62:126]):
        return "bad_issuer_signature"
    if not signed(code[21:53], b"parkflow/code/1\0" + code[:132], code[132:]):
        return "bad_code_signature"
    return None


def signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Steps 1 to 3 of PF-1 on the bytes, then a plain library call."""
    if int.from_bytes(signature[32:], "little") >= GROUP_ORDER or signature[:32] in SMALL_ORDER:
        return False
    if not all(int.from_bytes(point, "little") % 2**255 < FIELD_PRIME for point in (public_key, signature[:32])):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
