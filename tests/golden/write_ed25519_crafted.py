"""Writes ed25519_crafted.json: signatures on which verifiers disagree, judged by curve arithmetic on Python's integers.

Nothing of parkflow and no library of cryptography is used, so the file is an oracle of PF-1 itself and not an echo. All
keys are TEST KEYS, made of a word each; nothing real may ever trust them.
Run: python tests/golden/write_ed25519_crafted.py
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

GOLDEN = Path(__file__).with_name("ed25519_crafted.json")

# --- The curve (RFC 8032, 5.1) --------------------------------------------------------------------------------------

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, FIELD) % FIELD
ROOT_OF_MINUS_ONE = pow(2, (FIELD - 1) // 4, FIELD)

# Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z.
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % FIELD
    b = (one[1] + one[0]) * (other[1] + other[0]) % FIELD
    c = 2 * one[3] * other[3] * D % FIELD
    d = 2 * one[2] * other[2] % FIELD
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % FIELD, g * h % FIELD, f * g % FIELD, e * h % FIELD


def times(scalar: int, point: Point) -> Point:
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def minus(point: Point) -> Point:
    return -point[0] % FIELD, point[1], point[2], -point[3] % FIELD


def same(one: Point, other: Point) -> bool:
    crossed = ((one[at] * other[2] - other[at] * one[2]) % FIELD for at in (0, 1))
    return not any(crossed)


def encode(point: Point) -> bytes:
    inverse = pow(point[2], -1, FIELD)
    x, y = point[0] * inverse % FIELD, point[1] * inverse % FIELD
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(encoding: bytes) -> Point | None:
    """The point as lenient decoders read it: y may be p or more, and x = 0 may bear a sign."""
    number = int.from_bytes(encoding, "little")
    y, sign = number % 2**255 % FIELD, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, FIELD) % FIELD
    x = pow(square, (FIELD + 3) // 8, FIELD)
    if x * x % FIELD != square:
        x = x * ROOT_OF_MINUS_ONE % FIELD
    if x * x % FIELD != square:
        return None
    x = -x % FIELD if x & 1 != sign else x
    return x, y, 1, x * y % FIELD


def is_small(point: Point) -> bool:
    return same(times(8, point), IDENTITY)


def is_torsion_free(point: Point) -> bool:
    return same(times(ORDER, point), IDENTITY)


def first_torsion_generator() -> Point:
    """A point of order 8: the part of small order of the first point that has one."""
    for y in range(2, 100):
        point = decode(y.to_bytes(32, "little"))
        if point is not None and not same(times(4 * ORDER, point), IDENTITY):
            return times(ORDER, point)
    raise AssertionError("one in two points has a part of order 8")


def base_point() -> Point:
    point = decode((4 * pow(5, -1, FIELD) % FIELD).to_bytes(32, "little"))
    assert point is not None
    return point


BASE = base_point()
TORSION = [times(number, first_torsion_generator()) for number in range(8)]

# --- The judgement --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judgement:
    """What is so of a signature: its most telling feature, and the answers of the two equations.

    `cofactorless`: R's bytes are the encoding of [S]B - [k]A, which is what most verifiers look at and nothing more.
    `pf1`: what parkflow must answer.
    """

    cause: str
    cofactorless: bool
    pf1: bool


def challenge(r_bytes: bytes, key: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r_bytes + key + message).digest(), "little") % ORDER


def judge(key: bytes, message: bytes, signature: bytes) -> Judgement:
    if len(key) != 32 or len(signature) != 64:
        return Judgement("wrong_length", cofactorless=False, pf1=False)
    r_bytes, s = signature[:32], int.from_bytes(signature[32:], "little")
    a_point, r_point = decode(key), decode(r_bytes)
    if a_point is None or r_point is None:
        return Judgement("not_a_point", cofactorless=False, pf1=False)
    # RFC 8032 leaves open whether k is reduced before it meets a key of mixed order; every known verifier reduces.
    wanted = add(times(s, BASE), minus(times(challenge(r_bytes, key, message), a_point)))
    cofactored = same(times(8, wanted), times(8, r_point))
    if s >= ORDER:
        cause = "s_not_below_order"
    elif encode(a_point) != key:
        cause = "non_canonical_key"
    elif encode(r_point) != r_bytes:
        cause = "non_canonical_r"
    elif is_small(a_point):
        cause = "small_order_key"
    elif is_small(r_point):
        cause = "small_order_r"
    elif not is_torsion_free(a_point):
        cause = "mixed_order_key"
    elif not cofactored:
        cause = "false_equation"
    else:
        cause = "honest" if is_torsion_free(r_point) else "torsion_r"
    return Judgement(cause, cofactorless=encode(wanted) == r_bytes, pf1=cause in ("honest", "torsion_r"))


# --- The cases ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One signature; key, message and signature in hex."""

    name: str
    public_key: str
    message: str
    signature: str
    cause: str
    cofactorless: bool
    pf1: bool


def case(name: str, key: bytes, message: bytes, signature: bytes) -> Case:
    return Case(name, key.hex(), message.hex(), signature.hex(), **asdict(judge(key, message, signature)))


def fixed_scalar(word: str) -> int:
    return int.from_bytes(hashlib.sha512(f"parkflow TEST KEY {word}".encode()).digest(), "little") % ORDER


A, R = fixed_scalar("key"), fixed_scalar("commitment")
A_POINT, R_POINT = times(A, BASE), times(R, BASE)
KEY = encode(A_POINT)


def signed(r_bytes: bytes, r: int, key: bytes, a: int, message: bytes) -> bytes:
    s = (r + challenge(r_bytes, key, message) * a) % ORDER
    return r_bytes + s.to_bytes(32, "little")


def small_encodings() -> list[bytes]:
    """All 14 encodings of the 8 points of small order."""
    canonical = [encode(point) for point in TORSION]
    return canonical + [encoding for encoding in non_canonical_encodings() if is_small(decoded(encoding))]


def non_canonical_encodings() -> list[bytes]:
    """All 26: y from p up, and x = 0 with a sign; encodings that are no points are left out."""
    numbers = [y | sign << 255 for y in [*range(FIELD, 2**255), 1, FIELD - 1] for sign in (0, 1)]
    encodings = (number.to_bytes(32, "little") for number in numbers)
    points = ((encoding, decode(encoding)) for encoding in encodings)
    return [encoding for encoding, point in points if point is not None and encode(point) != encoding]


def decoded(encoding: bytes) -> Point:
    point = decode(encoding)
    assert point is not None
    return point


def message_that_makes(wanted: bool, r_bytes: bytes, key: bytes, tail: Point) -> bytes | None:
    """The first message for which R's small part and k times the key's (`tail`) cancel out, or do not."""
    r_part = times(ORDER * pow(ORDER, -1, 8), decoded(r_bytes))
    for number in range(64):
        message = b"said %d" % number
        cancels = same(add(r_part, times(challenge(r_bytes, key, message) % 8, tail)), IDENTITY)
        if cancels == wanted:
            return message
    return None


def torsion_grid() -> Iterator[Case]:
    """R and A each with each part of small order, S as its owner computes it: [8] hides both parts.

    Two messages where both can be: one for which the cofactorless equation fails, and one for which it holds.
    """
    for r_part in range(8):
        for key_part in range(8):
            r_bytes = encode(add(R_POINT, TORSION[r_part]))
            key = encode(add(A_POINT, TORSION[key_part]))
            for wanted in (False, True):
                message = message_that_makes(wanted, r_bytes, key, TORSION[key_part])
                if message is not None:
                    name = f"grid R+{r_part} A+{key_part} {'cancels' if wanted else 'remains'}"
                    yield case(name, key, message, signed(r_bytes, R, key, A, message))


def small_order() -> Iterator[Case]:
    """Keys, Rs, and both, of small order in every encoding."""
    for at, encoding in enumerate(small_encodings()):
        r_bytes = encode(R_POINT)
        for wanted in (False, True):
            message = message_that_makes(wanted, r_bytes, encoding, decoded(encoding))
            if message is not None:
                name = f"small key {at} {'cancels' if wanted else 'remains'}"
                yield case(name, encoding, message, signed(r_bytes, R, encoding, 0, message))
        yield case(f"small R {at}", KEY, b"said", signed(encoding, 0, KEY, A, b"said"))
        for key_at, key in enumerate(small_encodings()):
            yield case(f"small R {at} key {key_at}", key, b"said", signed(encoding, 0, key, 0, b"said"))


def non_canonical() -> Iterator[Case]:
    """Each other spelling as key and as R. Nobody knows the logarithms of 20 of these points: their equations fail."""
    for at, encoding in enumerate(non_canonical_encodings()):
        r_bytes = encode(R_POINT)
        yield case(f"non-canonical key {at}", encoding, b"said", signed(r_bytes, R, encoding, A, b"said"))
        yield case(f"non-canonical R {at}", KEY, b"said", signed(encoding, R, KEY, A, b"said"))


def malleable() -> Iterator[Case]:
    """S plus a multiple of the order, as far as 32 bytes hold it: the same scalar, another signature."""
    honest = signed(encode(R_POINT), R, KEY, A, b"said")
    s, multiple = int.from_bytes(honest[32:], "little"), 0
    while s + multiple * ORDER < 2**256:
        changed = honest[:32] + (s + multiple * ORDER).to_bytes(32, "little")
        yield case(f"S plus {multiple} L", KEY, b"said", changed)
        multiple += 1


def false_equations() -> Iterator[Case]:
    """The grid's signatures shown with another message."""
    for r_part in range(8):
        r_bytes = encode(add(R_POINT, TORSION[r_part]))
        yield case(f"not said R+{r_part}", KEY, b"not said", signed(r_bytes, R, KEY, A, b"said"))
        key = encode(add(A_POINT, TORSION[r_part]))
        yield case(f"not said A+{r_part}", key, b"not said", signed(encode(R_POINT), R, key, A, b"said"))


def rendered() -> str:
    families = [torsion_grid(), small_order(), non_canonical(), malleable(), false_equations()]
    rows = ",\n  ".join(json.dumps(asdict(made)) for family in families for made in family)
    note = (
        "TEST KEYS, public for ever: never trust them. Written by write_ed25519_crafted.py, integer arithmetic alone."
    )
    return f'{{\n "note": "{note}",\n "cases": [\n  {rows}\n ]\n}}\n'


if __name__ == "__main__":
    GOLDEN.write_text(rendered(), encoding="ascii")
