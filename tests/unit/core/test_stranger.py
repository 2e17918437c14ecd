"""docs/code-format.md is enough to write a verifier, and its worked example is the golden file's.

Crafted signatures are left out: there a plain Ed25519 library may differ from PF-1 (the page says where), and random
changes never make one.
"""

import hashlib
import json
import random
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from parkflow import core
from parkflow.credential.rules import CredentialRequest
from parkflow.kit.ids import from_text
from tests.stranger import DIGITS, GROUP_ORDER, SMALL_ORDER, Gate, Kid, base45, code_id

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "code-format.md").read_text(encoding="utf-8")
VECTOR: dict[str, Any] = json.loads((ROOT / "tests" / "golden" / "code_v1.json").read_text(encoding="ascii"))
CASES: list[dict[str, Any]] = VECTOR["cases"]
KID = VECTOR["fields"]["kid"]
SUBJECT = bytes.fromhex(VECTOR["fields"]["subject"])
CODE = bytes.fromhex(VECTOR["code"])
CODE_ID = bytes.fromhex(VECTOR["code_id"])
ISSUER = Kid(bytes.fromhex(VECTOR["issuer_public_key"]), VECTOR["issuer_product"], *VECTOR["issuer_window_s"])
MUTATIONS = 2_000


@dataclass(frozen=True)
class Showing:
    """A text at a gate at a moment, as both verifiers are told of it."""

    text: str
    now_s: int
    denied: bool = False
    seen: bool = False
    product: int | None = None
    fee: int | None = None

    def by_stranger(self) -> str:
        gate = Gate(
            {KID: ISSUER},
            denied={SUBJECT} if self.denied else set(),
            remembered={CODE_ID} if self.seen else set(),
            product=self.product,
            fee=self.fee,
        )
        return gate.reason(self.text.encode(), self.now_s)

    def by_core(self) -> str:
        replay = core.ReplayCache(8)
        if self.seen:
            replay.remember(CODE_ID, self.now_s)
        key = core.IssuerKey(KID, ISSUER.public_key, 1, ISSUER.product, ISSUER.not_before, ISSUER.not_after)
        return core.verify_code(
            self.text,
            now_s=self.now_s,
            keys=core.KeySet([key]),
            policy=core.Policy(product=self.product, fee_due_units=self.fee),
            deny=core.DenyList([SUBJECT] if self.denied else []),
            replay=replay,
        ).name


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_stranger_gives_each_case_its_reason(case: dict[str, Any]) -> None:
    showing = Showing(case["text"], case["now_s"], case["denied"], case["seen"], case["product"], case["fee_due_units"])
    assert showing.by_stranger() == case["reason"]


def test_a_stranger_agrees_with_us_on_random_changes() -> None:
    chance = random.Random("stranger")
    showings = [_changed(chance) for _ in range(MUTATIONS)]
    ours = [showing.by_core() for showing in showings]
    assert [showing.by_stranger() for showing in showings] == ours
    # The changes reach every reason, or agreement would mean little.
    assert set(Counter(ours)) == set(core.REASONS.values())


def _changed(chance: random.Random) -> Showing:
    change = chance.choice([_changed_text, _changed_bytes, _signed_again, _signed_again])
    issued_at = VECTOR["issued_at_s"]
    return replace(
        Showing(change(chance), issued_at + chance.choice([5, 5, 5, 60, 61, -30, -31, chance.randint(-900, 900)])),
        denied=chance.random() < 0.1,
        seen=chance.random() < 0.1,
        product=chance.choice([None, None, None, 1, 2]),
        fee=chance.choice([None, None, None, 0, 200, 201]),
    )


def _changed_text(chance: random.Random) -> str:
    """Characters replaced, put in, taken out or doubled anywhere, the prefix included."""
    text: str = VECTOR["text"]
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(text))
        put = chance.choice(["", "A", " ", ":", "a", "\n", "é", "\0", chr(chance.randrange(32, 127))])
        text = text[:place] + put + text[place + chance.randint(0, 1) :]
    return text + chance.choice(["", "", "", "000", "A" * chance.randint(80, 120)])


def _changed_bytes(chance: random.Random) -> str:
    """Bits turned over in a code that is then written as strict Base45, sometimes longer or shorter."""
    content = bytearray(CODE)
    for _ in range(chance.randint(1, 2)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    length = chance.choice([196] * 8 + [195, 197])
    return core.PREFIX + core.encode_base45(bytes(content + b"\0")[:length])


def _signed_again(chance: random.Random) -> str:
    """One field or none changed to a telling value, or the moment moved, and both signatures made anew."""
    begin, moment = VECTOR["fields"]["not_before_s"], VECTOR["issued_at_s"]
    fields: dict[tuple[int, int], list[int]] = {
        (0, 1): [0, 2],
        (1, 5): [1, KID],
        (53, 57): [moment, moment + 1, begin - 40 * 86_400],
        (57, 59): [0, 1, 59, 60, 61, 4_320, 4_321, 65_535],
        (59, 60): [1, 2],
        (60, 62): [0, 199, 201],
        (126, 130): [begin - 1, moment - 31, moment + 36, ISSUER.not_after, ISSUER.not_before - 1],
        (130, 132): [0, 0xBEEF],
    }
    content = bytearray(CODE)
    (start, end), values = chance.choice(list(fields.items()))
    content[start:end] = chance.choice(values).to_bytes(end - start, "big")
    purposes = chance.choice([("credential/1", "code/1")] * 8 + [("code/1", "code/1"), ("credential/1", "enrol/1")])
    issuer_secret, code_secret = (bytes.fromhex(VECTOR[name]) for name in ("issuer_secret", "code_secret"))
    content[62:126] = core.sign_message(issuer_secret, purposes[0], bytes(content[:62]))
    content[132:] = core.sign_message(code_secret, purposes[1], bytes(content[:132]))
    return core.PREFIX + core.encode_base45(bytes(content))


# --- The page itself ------------------------------------------------------------------------------------------------


def section(title: str) -> str:
    """What stands under a heading of the page, up to the next one."""
    [content] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(content)


def block(name: str) -> bytes:
    """The bytes of a hex block of the worked example."""
    [content] = re.findall(rf"^```hex {name}\n([0-9a-f\n]+)```$", section("Worked example"), re.MULTILINE)
    return bytes.fromhex(content.replace("\n", ""))


def inline(words: str) -> bytes:
    """The first bytes in back-quotes after these words of the worked example."""
    found = re.search(re.escape(words) + r"[^`]*`([0-9a-f]+)`", section("Worked example"))
    assert found, words
    return bytes.fromhex(found[1])


def test_the_pages_fields_are_the_golden_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| `([0-9a-f]+)` \|", section("Worked example"), re.MULTILINE)
    content = b""
    for offset, _, field in rows:
        assert int(offset) == len(content)
        content += bytes.fromhex(field)
    assert content == CODE == block("code")
    tables = section("Credential: bytes 0 to 125") + section("Proof: bytes 126 to 195")
    layout = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \| ", tables, re.MULTILINE)
    assert [(offset, name) for offset, _, name in layout] == [(offset, name) for offset, name, _ in rows]
    assert [int(length) for _, length, _ in layout] == [len(field) // 2 for _, _, field in rows]


def test_the_pages_messages_are_what_is_signed() -> None:
    assert block("credential_message") == b"parkflow/credential/1\0" + CODE[:62]
    assert block("code_message") == b"parkflow/code/1\0" + CODE[:132]
    assert core.ed25519_verify(ISSUER.public_key, block("credential_message"), CODE[62:126])
    assert core.ed25519_verify(CODE[21:53], block("code_message"), CODE[132:])
    prefixes = re.findall(r"`parkflow/([\w/-]+)\\0` ‖ [^|]+ \| `([0-9a-f]+)` \|", section("What is signed"))
    assert len(prefixes) == 4
    for purpose, prefix in prefixes:
        assert bytes.fromhex(prefix) == f"parkflow/{purpose}\0".encode()
        assert purpose in core.PURPOSES


def test_the_pages_text_and_code_id_are_the_golden_ones() -> None:
    [text] = re.findall(r"^```text code\n(.+)\n```$", section("Worked example"), re.MULTILINE)
    assert text == VECTOR["text"]
    assert base45(text[4:].encode()) == CODE
    assert block("code_id") == CODE_ID == code_id(CODE) == hashlib.sha256(block("code_id_message")).digest()[:16]


def test_the_pages_keys_are_the_golden_ones() -> None:
    assert inline("| issuer secret").hex() == VECTOR["issuer_secret"]
    assert inline("| issuer public key").hex() == VECTOR["issuer_public_key"]
    assert inline("| code secret").hex() == VECTOR["code_secret"]
    assert inline("| subject key").hex() == VECTOR["subject_key"]
    sealed = inline("| card id ‖ serial 42")
    card_id, serial = int.from_bytes(sealed[:8], "big"), int.from_bytes(sealed[8:], "big")
    assert (card_id, serial) == (VECTOR["card_id"], VECTOR["serial"])
    assert core.seal_subject(inline("| subject key"), card_id, serial) == SUBJECT
    assert f"({ISSUER.not_before} to {ISSUER.not_after})" in section("Worked example")
    assert f"kid {KID}, product {ISSUER.product}" in section("Worked example")


def test_the_pages_requests_are_what_the_service_checks() -> None:
    secret, public_key = inline("Device secret"), inline(", public key")
    assert core.public_key(secret) == public_key
    [card, device] = re.findall(r"(?:card|device) `((?:card|dev)_\w+)`", section("Worked example"))
    request = CredentialRequest(from_text("dev", device), CODE[21:53], VECTOR["issued_at_s"] - 60, b"")
    assert request.message(from_text("card", card)) == block("request")
    assert core.verify_message(public_key, "credential-request/1", block("request"), block("request_signature"))
    assert len(block("challenge")) == 48
    assert core.verify_message(public_key, "enrol/1", block("challenge"), block("challenge_signature"))


def test_the_page_lists_the_reasons_with_their_numbers() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| ", section("Order of refusal"), re.MULTILINE)
    assert {int(number): name for number, name in rows} == core.REASONS


def test_the_pages_mutations_are_cases_of_the_file() -> None:
    reasons = {case["name"]: case["reason"] for case in CASES}
    rows = re.findall(r"^\| ([^|]+) \| [^|]*\| `(\w+)` \|$", section("Mutations"), re.MULTILINE)
    assert len(rows) > 20
    assert {name: reasons.get(name) for name, _ in rows} == dict(rows)
    assert f"The file has {len(CASES)} cases" in section("Mutations")


def test_the_pages_numbers_are_the_strangers() -> None:
    rule = section("PF-1: when a signature is good")
    assert f"L = 2^252 + {GROUP_ORDER - 2**252}" in rule
    listed = re.findall(r"^([0-9a-f]{64})$", rule, re.MULTILINE)
    assert {bytes.fromhex(point) for point in listed} == SMALL_ORDER
    assert not any(core.check_public_key(point) for point in SMALL_ORDER)
    assert f"`{bytes(DIGITS).decode()}`" in section("Text")
