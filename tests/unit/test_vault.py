"""Sealed values open only with their key and purpose; blind indexes tell nothing but equality."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.vault import SealBroken, Vault

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_was_sealed_opens_again(plain: bytes, purpose: str) -> None:
    assert Vault(KEY).open(purpose, Vault(KEY).seal(purpose, plain)) == plain


def test_a_value_is_never_sealed_twice_alike() -> None:
    assert Vault(KEY).seal("phone", b"+1") != Vault(KEY).seal("phone", b"+1")


@given(st.binary(max_size=40), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_seal_does_not_open(plain: bytes, place: int, change: int) -> None:
    sealed = bytearray(Vault(KEY).seal("phone", plain))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(SealBroken):
        Vault(KEY).open("phone", bytes(sealed))


@pytest.mark.parametrize("length", [0, 1, 12, 13, 28])
def test_a_cut_seal_does_not_open(length: int) -> None:
    sealed = Vault(KEY).seal("phone", b"")
    with pytest.raises(SealBroken):
        Vault(KEY).open("phone", sealed[:length])


def test_a_seal_belongs_to_its_purpose_owner_and_key() -> None:
    vault = Vault(KEY)
    wrong: list[tuple[Callable[[bytes], bytes], bytes]] = [
        (partial(vault.open, "plate"), vault.seal("phone", b"x")),
        (partial(vault.open_secret, "issuer/2"), vault.seal_secret("issuer/1", b"x")),
        (partial(Vault(OTHER_KEY).open, "phone"), vault.seal("phone", b"x")),
    ]
    for opener, sealed in wrong:
        with pytest.raises(SealBroken):
            opener(sealed)


def test_an_index_depends_on_value_purpose_and_key() -> None:
    indexes = {
        Vault(key).blind_index(purpose, value)
        for key in (KEY, OTHER_KEY)
        for purpose in ("phone", "plate")
        for value in (b"+1", b"+2")
    }
    assert len(indexes) == 8
    assert Vault(KEY).blind_index("phone", b"+1") in indexes
