"""Ids: 63-bit integers made by the application, bucket in the top 10 bits, shown as prefixed Crockford base32."""

import hashlib
import secrets
from typing import Final

from parkflow.kit.errors import ParkflowError

BUCKETS: Final = 1024
BUCKET_BITS: Final = 10
RANDOM_BITS: Final = 53
ID_LIMIT: Final = 1 << (BUCKET_BITS + RANDOM_BITS)

# Douglas Crockford's base 32 (https://www.crockford.com/base32.html), lower case; no i, l, o, u.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {char: value for value, char in enumerate(_ALPHABET)}
# 13 digits of 5 bits hold 65 bits; the first digit of a 63-bit id is therefore 0 to 7.
_DIGITS: Final = 13


class MalformedId(ParkflowError):
    """An id looks like `card_` and 13 characters of 0-9 and a-z without i, l, o and u."""

    code = "malformed_id"
    status = 422


def new_bucket() -> int:
    """A bucket for something born now, all 1,024 equally likely."""
    return secrets.randbelow(BUCKETS)


def new_id(bucket: int) -> int:
    """A new random id in `bucket` (0-1023)."""
    return _with_bucket(bucket, secrets.randbits(RANDOM_BITS))


def derived_id(bucket: int, *parts: bytes) -> int:
    """The id in `bucket` that always belongs to `parts`.

    Its low bits are the first 53 bits of SHA-256 (FIPS 180-4) over the length-prefixed parts.
    """
    return _with_bucket(bucket, int.from_bytes(_digest(parts)[:8], "big") >> (64 - RANDOM_BITS))


def derived_bucket(*parts: bytes) -> int:
    """The bucket that always belongs to `parts`, for what has no account yet (a plate, a phone number)."""
    return int.from_bytes(_digest(parts)[-2:], "big") % BUCKETS


def bucket_of(ident: int) -> int:
    """The bucket of an id: its top 10 bits."""
    assert 0 <= ident < ID_LIMIT, f"an id has 63 bits, {ident} does not"
    return ident >> RANDOM_BITS


def to_text(prefix: str, ident: int) -> str:
    """`prefix_` and 13 characters, e.g. `card_01h5a…`; sorts like the number."""
    assert 0 <= ident < ID_LIMIT, f"an id has 63 bits, {ident} does not"
    digits = (_ALPHABET[(ident >> shift) & 31] for shift in range(5 * (_DIGITS - 1), -1, -5))
    return f"{prefix}_{''.join(digits)}"


def from_text(prefix: str, text: str) -> int:
    """The id in `text`, which must be exactly what `to_text` writes for `prefix`. Raises MalformedId."""
    digits = text.removeprefix(f"{prefix}_")
    if digits == text or len(digits) != _DIGITS or not all(char in _VALUES for char in digits):
        raise MalformedId(f"{text[:40]!r} is not an id of the form {prefix}_ and 13 characters")
    ident = 0
    for char in digits:
        ident = ident << 5 | _VALUES[char]
    if ident >= ID_LIMIT:
        raise MalformedId(f"{text!r} is too large for an id")
    return ident


def _with_bucket(bucket: int, low_bits: int) -> int:
    assert 0 <= bucket < BUCKETS, f"a bucket is 0 to {BUCKETS - 1}, not {bucket}"
    return bucket << RANDOM_BITS | low_bits


def _digest(parts: tuple[bytes, ...]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()
