"""Writes bundle_v1.json from the description of bundles and deny filters alone, without parkflow.

All keys are TEST KEYS, made of a word each; nothing real may ever trust them.
Run: python tests/golden/write_bundle_v1.py
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GOLDEN = Path(__file__).with_name("bundle_v1.json")
NOON_S = 1_792_497_600  # Tuesday 2026-10-20 12:00 UTC
WORD = (1 << 64) - 1


def fixed_secret(word: str) -> bytes:
    return hashlib.sha256(f"parkflow TEST KEY {word}".encode()).digest()


def public_key(secret: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


ROOT = fixed_secret("root")
OPERATOR, LOT, OTHER_LOT = 0x0102_0304_0506_0708, 0x1111_1111_1111_1111, 0x2222_2222_2222_2222
KEYS = [
    (7, 1, 1, NOON_S - 86_400, NOON_S + 86_400, public_key(fixed_secret("issuer"))),
    # An algorithm of the future: a gate that does not know it passes the key over.
    (8, 0, 2, NOON_S - 3_600, NOON_S + 172_800, b"\x02" + fixed_secret("p256")),
]
RISK = [(0, 0, 86_400, 1), (0, 20, 43_200, 1), (100, 0, 172_800, 2)]
LOTS: list[dict[str, Any]] = [
    {
        "id": LOT,
        "product": 1,
        "age": 30,
        "skew": 30,
        "exit": 0,
        "passback": 60,
        "risk": RISK,
        "lanes": [(1, 1), (2, 2)],
    },
    {"id": OTHER_LOT, "product": 0, "age": 60, "skew": 0, "exit": 1, "passback": 0, "risk": [], "lanes": [(9, 3)]},
]


def subject(word: str) -> bytes:
    return hashlib.sha256(f"parkflow TEST SUBJECT {word}".encode()).digest()[:16]


# --- The deny filter -------------------------------------------------------------------------------------------------


def mixed(name: bytes, seed: int) -> int:
    """The finaliser of MurmurHash3 (public domain) over key and seed."""
    value = (int.from_bytes(name[:8], "big") + seed) & WORD
    for factor in (0xFF51_AFD7_ED55_8CCD, 0xC4CE_B9FE_1A85_EC53):
        value ^= value >> 33
        value = value * factor & WORD
    return value ^ value >> 33


def fingerprint(value: int) -> int:
    return (value ^ value >> 32) & 0xFF


def places(value: int, segment: int, count: int) -> tuple[int, int, int]:
    first = value * count >> 64
    return (
        first,
        first + segment ^ value >> 18 & segment - 1,
        first + 2 * segment ^ value & segment - 1,
    )


def peeled(values: list[int], segment: int, count: int) -> list[tuple[int, int]]:
    """(value, the place that is its own) in an order in which each place is free when its turn comes; [] if stuck."""
    order: list[tuple[int, int]] = []
    left = list(values)
    while left:
        seen: dict[int, list[int]] = {}
        for value in left:
            for place in places(value, segment, count):
                seen.setdefault(place, []).append(value)
        alone = {holders[0]: place for place, holders in seen.items() if len(holders) == 1}
        if not alone:
            return []
        order += alone.items()
        left = [value for value in left if value not in alone]
    return order


def filter_over(subjects: list[bytes]) -> bytes:
    segment, count = 8, 56
    for seed in range(1_000):
        values = [mixed(name, seed) for name in subjects]
        order = peeled(values, segment, count)
        if not order:
            continue
        table = bytearray(count + 2 * segment)
        for value, own in reversed(order):
            table[own] = 0
            found = fingerprint(value)
            for place in places(value, segment, count):
                found ^= table[place]
            table[own] = found
        header = b"\x01" + seed.to_bytes(8, "big") + segment.to_bytes(4, "big") + count.to_bytes(4, "big")
        return header + bytes(table)
    raise AssertionError("one seed in a few does")


def hits(file: bytes, name: bytes) -> bool:
    seed, segment, count = (int.from_bytes(file[a:b], "big") for a, b in ((1, 9), (9, 13), (13, 17)))
    table, value = file[17:], mixed(name, seed)
    found = fingerprint(value)
    for place in places(value, segment, count):
        found ^= table[place]
    return found == 0


# --- The bundle ------------------------------------------------------------------------------------------------------


def number(value: int, length: int) -> bytes:
    return value.to_bytes(length, "big")


def key_bytes(key: tuple[int, int, int, int, int, bytes]) -> bytes:
    kid, product, algorithm, begin, end, public = key
    fixed = number(kid, 4) + number(OPERATOR, 8) + bytes([product, algorithm]) + number(begin, 8) + number(end, 8)
    return fixed + number(len(public), 1) + public


def lot_bytes(lot: dict[str, Any]) -> bytes:
    fixed = number(lot["id"], 8) + number(lot["product"], 1) + number(lot["age"], 2) + number(lot["skew"], 2)
    fixed += number(lot["exit"], 1) + number(lot["passback"], 4)
    rules = [number(c, 2) + number(a, 2) + number(b, 4) + number(o, 1) for c, a, b, o in lot["risk"]]
    lanes = [number(lane, 8) + number(direction, 1) for lane, direction in lot["lanes"]]
    return fixed + number(len(rules), 2) + b"".join(rules) + number(len(lanes), 2) + b"".join(lanes)


def content(version: int, denied: list[bytes], cleared: list[bytes], file: bytes) -> bytes:
    parts = [b"\x01", number(OPERATOR, 8), number(version, 8), number(NOON_S, 8), number(NOON_S + 259_200, 8)]
    parts += [number(len(KEYS), 2), *(key_bytes(key) for key in KEYS)]
    parts += [number(len(LOTS), 2), *(lot_bytes(lot) for lot in LOTS)]
    parts += [hashlib.sha256(file).digest() if file else bytes(32), number(len(file), 4)]
    for subjects in (denied, cleared):
        parts += [number(len(subjects), 4), *sorted(subjects)]
    return b"".join(parts)


def rendered() -> str:
    """The whole file as text."""
    members = [subject(f"denied {place}") for place in range(40)]
    others = [subject(f"honest {place}") for place in range(2_000)]
    file = filter_over(members)
    assert all(hits(file, name) for name in members)
    hit = [name for name in others if hits(file, name)]
    denied, cleared = [subject("late 1"), subject("late 2")], hit[:2]
    payload = content(42, denied, cleared, file)
    signature = Ed25519PrivateKey.from_private_bytes(ROOT).sign(b"parkflow/bundle/1\0" + payload)
    golden = {
        "note": "TEST KEYS, public for ever: never trust them. Written by write_bundle_v1.py from the format alone.",
        "root_secret": ROOT.hex(),
        "root_public_key": public_key(ROOT).hex(),
        "operator_id": OPERATOR,
        "version": 42,
        "issued_at_s": NOON_S,
        "expires_at_s": NOON_S + 259_200,
        "lot_id": LOT,
        "lane_ids": [1, 2],
        "keys": [[*key[:5], key[5].hex()] for key in KEYS],
        "lots": LOTS,
        "denied": sorted(name.hex() for name in denied),
        "cleared": sorted(name.hex() for name in cleared),
        "filter": file.hex(),
        "filter_sha256": hashlib.sha256(file).hexdigest(),
        "filter_members": [name.hex() for name in members],
        "filter_hits_others": [name.hex() for name in hit],
        "filter_misses": [name.hex() for name in others[:20] if name not in hit],
        "content": payload.hex(),
        "bundle": (payload + signature).hex(),
    }
    return json.dumps(golden, indent=1) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(rendered(), encoding="ascii")
