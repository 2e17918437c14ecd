"""Sealing: personal data and secret keys are stored only encrypted, and looked up only by keyed hashes of them."""

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from parkflow.kit.errors import ParkflowError

MASTER_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
# The first byte of everything sealed, so that keys and algorithms can be changed without guessing.
_VERSION: Final = b"\x01"


class SealBroken(ParkflowError):
    """A sealed value does not open: the master key is not the one that it was sealed with, or the value was changed."""

    code = "seal_broken"
    status = 500


class Vault:
    """Seals and opens with keys derived from one master key of 32 bytes.

    `purpose` says what a value is for (`account/phone`); a value sealed for one purpose does not open for another.
    """

    def __init__(self, master_key: bytes) -> None:
        assert len(master_key) == MASTER_KEY_BYTES, "the master key has 32 bytes"
        self._cipher = AESGCM(_derive(master_key, "seal"))
        self._index_key = _derive(master_key, "blind-index")

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce and the purpose as associated data."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """What `seal` was given for the same purpose. Raises SealBroken."""
        version, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if version != _VERSION:
            raise SealBroken
        try:
            return self._cipher.decrypt(nonce, rest, purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error

    def seal_secret(self, owner: str, secret: bytes) -> bytes:
        """Seal a secret key; `owner` names whose it is (`issuer/17`), so that keys cannot be exchanged between rows."""
        return self.seal(f"secret/{owner}", secret)

    def open_secret(self, owner: str, sealed: bytes) -> bytes:
        """The secret key of `owner`. Raises SealBroken."""
        return self.open(f"secret/{owner}", sealed)

    def blind_index(self, purpose: str, plain: bytes) -> bytes:
        """32 bytes, always the same for the same value and purpose, by which a sealed value can be found.

        HMAC-SHA-256 (RFC 2104) with a key of its own, because phone numbers are few enough to try all plain hashes.
        """
        return hmac.digest(self._index_key, purpose.encode() + b"\0" + plain, hashlib.sha256)


def _derive(master_key: bytes, label: str) -> bytes:
    # One block of HKDF-Expand (RFC 5869); the master key is uniformly random, so nothing needs extracting.
    return hmac.digest(master_key, f"parkflow/vault/1/{label}".encode() + b"\x01", hashlib.sha256)
