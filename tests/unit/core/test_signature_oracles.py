"""PF-1 beside libsodium and OpenSSL: they differ exactly where the documented causes say so.

Both look at the equation without the cofactor. OpenSSL looks at nothing else but S < L; libsodium also refuses small
order and other spellings. Hence each takes keys of mixed order, whose holder can make signatures on which verifiers
differ, and PF-1 does not enrol them; and each refuses an R with a part of small order, which PF-1 takes, since a batch
cannot tell it, and only the key's holder can make it: such a gate errs towards refusal.
"""

import functools
import importlib.util
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import nacl.exceptions
import nacl.signing
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from parkflow import core
from tests import published
from tests.published import Triple

GOLDEN = Path(__file__).parents[2] / "golden"


@dataclass(frozen=True)
class Case:
    """A signature with the judgement of integer arithmetic: see `write_ed25519_crafted.py`."""

    triple: Triple
    cause: str
    cofactorless: bool
    pf1: bool


@functools.cache
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_ed25519_crafted", GOLDEN / "write_ed25519_crafted.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def crafted() -> dict[str, Case]:
    rows = json.loads((GOLDEN / "ed25519_crafted.json").read_text(encoding="ascii"))["cases"]
    return {
        row["name"]: Case(
            published.triple_of_hex(row["public_key"], row["message"], row["signature"]),
            row["cause"],
            row["cofactorless"],
            row["pf1"],
        )
        for row in rows
    }


@functools.cache
def judged() -> dict[str, Case]:
    """The published signatures, judged here."""
    judgements = {name: (triple, writer().judge(*triple)) for name, (triple, _) in published.by_name().items()}
    return {
        name: Case(triple, judgement.cause, judgement.cofactorless, judgement.pf1)
        for name, (triple, judgement) in judgements.items()
    }


def libsodium(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        nacl.signing.VerifyKey(key).verify(message, signature)
    # The second is for a signature of another length.
    except (nacl.exceptions.BadSignatureError, ValueError):
        return False
    return True


def openssl(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True)
class Documented:
    """Where another verifier differs from PF-1.

    Of the signatures that hold without the cofactor it takes those of these causes; it refuses those of `torsion_r`,
    which do not hold without it. `takes` and `refuses` say how many crafted ones that are.
    """

    verify: Callable[[bytes, bytes, bytes], bool]
    takes: dict[str, int]
    refuses: dict[str, int]
    published: set[str]


ORACLES = {
    "libsodium": Documented(
        libsodium,
        takes={"mixed_order_key": 42},
        refuses={"torsion_r": 7},
        published={"speccheck 3"},
    ),
    "openssl": Documented(
        openssl,
        takes={"mixed_order_key": 42, "small_order_key": 12, "small_order_r": 1, "non_canonical_key": 11},
        refuses={"torsion_r": 7},
        published={"speccheck 0", "speccheck 1", "speccheck 2", "speccheck 3", "speccheck 11"},
    ),
}


def test_the_golden_file_is_what_its_writer_writes() -> None:
    assert writer().rendered() == (GOLDEN / "ed25519_crafted.json").read_text(encoding="ascii")


def test_the_writer_knows_every_other_spelling_and_every_point_of_small_order() -> None:
    assert len(set(writer().non_canonical_encodings())) == 26
    assert len(set(writer().small_encodings())) == 14
    for encoding in writer().non_canonical_encodings() + writer().small_encodings():
        assert not core.check_public_key(encoding)


def test_crafted_cases_are_of_every_cause() -> None:
    assert Counter(case.cause for case in crafted().values()) == {
        "false_equation": 9,
        "honest": 2,
        "mixed_order_key": 105,
        "non_canonical_key": 119,
        "non_canonical_r": 80,
        "s_not_below_order": 15,
        "small_order_key": 79,
        "small_order_r": 8,
        "torsion_r": 7,
    }


def test_integer_arithmetic_judges_published_signatures_as_published() -> None:
    expected = {name: valid for name, (_, valid) in published.by_name().items()}
    assert {name: case.pf1 for name, case in judged().items()} == expected
    assert len(expected) == 297


@pytest.mark.parametrize("cases", [crafted, judged], ids=["crafted", "published"])
def test_pf1_answers_as_integer_arithmetic_singly_and_in_a_batch(cases: Callable[[], dict[str, Case]]) -> None:
    expected = {name: case.pf1 for name, case in cases().items()}
    assert {name: core.ed25519_verify(*case.triple) for name, case in cases().items()} == expected
    verdicts = core.ed25519_verify_batch([case.triple for case in cases().values()])
    assert dict(zip(cases(), verdicts, strict=True)) == expected


@pytest.mark.parametrize("oracle", ORACLES.values(), ids=ORACLES)
@pytest.mark.parametrize("cases", [crafted, judged], ids=["crafted", "published"])
def test_another_verifier_differs_exactly_by_the_documented_causes(
    cases: Callable[[], dict[str, Case]], oracle: Documented
) -> None:
    answers = {name: oracle.verify(*case.triple) for name, case in cases().items()}
    takes = {name for name, case in cases().items() if answers[name] and not case.pf1}
    refuses = {name for name, case in cases().items() if case.pf1 and not answers[name]}
    assert takes == {name for name, case in cases().items() if case.cofactorless and case.cause in oracle.takes}
    assert refuses == {name for name, case in cases().items() if not case.cofactorless and case.cause in oracle.refuses}


@pytest.mark.parametrize("oracle", ORACLES.values(), ids=ORACLES)
def test_the_disagreements_are_as_many_as_written_down(oracle: Documented) -> None:
    differing = [case for case in crafted().values() if oracle.verify(*case.triple) != case.pf1]
    assert Counter(case.cause for case in differing if not case.pf1) == oracle.takes
    assert Counter(case.cause for case in differing if case.pf1) == oracle.refuses
    assert {name for name, case in judged().items() if oracle.verify(*case.triple) != case.pf1} == oracle.published
