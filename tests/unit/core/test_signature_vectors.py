"""PF-1 against published vectors, and against other libraries on honest signatures."""

import nacl.exceptions
import nacl.signing
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from parkflow import core
from tests.published import load, rfc8032, rfc9421, sign_input, speccheck, wycheproof


def test_wycheproof_is_answered_whole() -> None:
    cases = wycheproof()
    assert len(cases) == 151
    assert [core.ed25519_verify(*triple) for triple, _ in cases] == [valid for _, valid in cases]
    assert core.ed25519_verify_batch([triple for triple, _ in cases]) == [valid for _, valid in cases]


def test_speccheck_is_answered_as_pf1_has_it() -> None:
    cases = speccheck()
    assert len(cases) == 12
    assert [core.ed25519_verify(*triple) for triple, _ in cases] == [valid for _, valid in cases]
    assert core.ed25519_verify_batch([triple for triple, _ in cases]) == [valid for _, valid in cases]


def test_rfc8032_and_sign_input_are_signed_byte_for_byte() -> None:
    for secret, (key, message, signature) in rfc8032() + sign_input():
        assert core.public_key(secret) == key
        assert core.sign(secret, message) == signature
        assert core.ed25519_verify(key, message, signature)
        assert core.check_public_key(key)
    assert core.ed25519_verify_batch([triple for _, triple in rfc8032() + sign_input()]) == [True] * 133


def test_rfc9421_example_is_signed_byte_for_byte() -> None:
    secret, (key, base, signature) = rfc9421()
    assert core.sign(secret, base) == signature
    assert core.ed25519_verify(key, base, signature)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_batch_names_each_bad_item_wherever_it_lies(place: str) -> None:
    good = [triple for _, triple in sign_input()[:16]]
    at = {"first": 0, "middle": 8, "last": 16}[place]
    for triple, valid in wycheproof() + speccheck():
        verdicts = core.ed25519_verify_batch([*good[:at], triple, *good[at:]])
        assert verdicts == [True] * at + [valid] + [True] * (16 - at)


@given(lengths=st.tuples(*[st.integers(0, 70)] * 3))
def test_wrong_lengths_are_false_and_never_an_exception(lengths: tuple[int, int, int]) -> None:
    triple = (bytes(lengths[0]), bytes(lengths[1]), bytes(lengths[2]))
    assert core.ed25519_verify(*triple) is False
    assert core.ed25519_verify_batch([triple]) == [False]


@given(secret=st.binary(min_size=32, max_size=32), message=st.binary(max_size=300), turned=st.integers(0, 511))
def test_honest_signatures_are_taken_everywhere_and_turned_ones_nowhere(
    secret: bytes, message: bytes, turned: int
) -> None:
    theirs, key = Ed25519PrivateKey.from_private_bytes(secret), core.public_key(secret)
    signature = core.sign(secret, message)
    assert signature == theirs.sign(message) == nacl.signing.SigningKey(secret).sign(message).signature
    assert key == theirs.public_key().public_bytes_raw()
    assert core.ed25519_verify(key, message, signature)
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    nacl.signing.VerifyKey(key).verify(message, signature)

    broken = (int.from_bytes(signature, "big") ^ 1 << turned).to_bytes(64, "big")
    assert not core.ed25519_verify(key, message, broken)
    assert core.ed25519_verify_batch([(key, message, broken), (key, message, signature)]) == [False, True]
    with pytest.raises(nacl.exceptions.BadSignatureError):
        nacl.signing.VerifyKey(key).verify(message, broken)


def test_base45_is_strict() -> None:
    vectors = load("base45_rfc9285.json")
    for row in vectors["rfc_examples"]:
        assert core.encode_base45(row["utf8"].encode()) == row["base45"]
        assert core.decode_base45(row["base45"]) == row["utf8"].encode()
    for row in vectors["roundtrip"] + vectors["boundary_valid"]:
        assert core.encode_base45(bytes.fromhex(row["hex"])) == row["base45"]
        assert core.decode_base45(row["base45"]) == bytes.fromhex(row["hex"])
    for row in vectors["must_reject"]:
        with pytest.raises(ValueError, match="Base45"):
            core.decode_base45(row["base45"])
