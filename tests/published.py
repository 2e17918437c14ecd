"""Published Ed25519 signatures, each with the answer that PF-1 must give."""

import base64
import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent / "golden" / "vectors"
Triple = tuple[bytes, bytes, bytes]
"""Public key, message, signature."""


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def triple_of_hex(key: str, message: str, signature: str) -> Triple:
    return bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)


def wycheproof() -> list[tuple[Triple, bool]]:
    return [
        (triple_of_hex(group["publicKey"]["pk"], test["msg"], test["sig"]), test["result"] == "valid")
        for group in load("wycheproof_ed25519_test.json")["testGroups"]
        for test in group["tests"]
    ]


def speccheck() -> list[tuple[Triple, bool]]:
    expected = {row["case"]: row["rule_p"] for row in load("speccheck_expected.json")}
    return [
        (triple_of_hex(case["pub_key"], case["message"], case["signature"]), expected[number])
        for number, case in enumerate(load("speccheck_cases.json"))
    ]


def sign_input() -> list[tuple[bytes, Triple]]:
    """Secrets and what they signed."""
    rows = [line.split(":") for line in (VECTORS / "sign.input.128").read_text(encoding="ascii").splitlines()]
    return [(bytes.fromhex(row[0])[:32], triple_of_hex(row[1], row[2], row[3][:128])) for row in rows]


def rfc8032() -> list[tuple[bytes, Triple]]:
    """Secrets and what they signed."""
    return [
        (bytes.fromhex(row["sk"]), triple_of_hex(row["pk"], row["msg"], row["sig"]))
        for row in load("rfc8032_section7_1.json")
    ]


def rfc9421() -> tuple[bytes, Triple]:
    """A secret and what it signed."""
    row = load("rfc9421_b26_ed25519.json")
    secret, key = (base64.urlsafe_b64decode(row[name] + "=") for name in ("seed_b64u", "public_x_b64u"))
    return secret, (key, row["signature_base"].encode(), base64.b64decode(row["signature_b64"]))


def by_name() -> dict[str, tuple[Triple, bool]]:
    """All of them."""
    families = {
        "wycheproof": wycheproof(),
        "speccheck": speccheck(),
        "sign.input": [(triple, True) for _, triple in sign_input()],
        "rfc8032": [(triple, True) for _, triple in rfc8032()],
        "rfc9421": [(rfc9421()[1], True)],
    }
    return {f"{family} {at}": case for family, cases in families.items() for at, case in enumerate(cases)}
