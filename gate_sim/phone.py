"""A driver's phone: it holds the device key, makes a code key for each credential and shows codes without a network."""

from dataclasses import dataclass

from gate_sim.seed import Seed
from gate_sim.wire import id_number
from parkflow import core

# A new code appears this often; a gate takes one for 30 s (plus skew).
CODE_REFRESH_SECONDS = 15


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """A credential and the secret of the code key that it certifies."""

    credential: bytes
    code_secret: bytes
    expires_at_s: int


@dataclass(slots=True)
class Phone:
    """One phone. All keys come from the seed and the phone's name; times are unix seconds of the phone's clock."""

    seed: Seed
    name: str
    held: HeldCredential | None = None
    credentials_asked: int = 0

    @property
    def device_key(self) -> bytes:
        """The public key that is enrolled on the card."""
        return core.public_key(self._device_secret)

    @property
    def _device_secret(self) -> bytes:
        return self.seed.key("device", self.name)

    def prove_possession(self, challenge: bytes) -> bytes:
        """The signature that enrols the device key."""
        return core.sign_message(self._device_secret, "enrol/1", challenge)

    def next_code_secret(self) -> bytes:
        """A fresh code key, so that nothing in the codes of two credentials links them."""
        self.credentials_asked += 1
        return self.seed.key("code", self.name, str(self.credentials_asked))

    @staticmethod
    def code_key(code_secret: bytes) -> bytes:
        """The public half of a code key, which the credential certifies."""
        return core.public_key(code_secret)

    def sign_credential_request(self, *, card: str, device: str, code_key: bytes, requested_at_s: int) -> bytes:
        """The device key's signature over card id, device id, code key and instant, big-endian."""
        message = (
            id_number(card).to_bytes(8, "big")
            + id_number(device).to_bytes(8, "big")
            + code_key
            + requested_at_s.to_bytes(8, "big")
        )
        return core.sign_message(self._device_secret, "credential-request/1", message)

    def code_at(self, at_s: int) -> str:
        """The text of the QR on the screen at `at_s`; it changes every 15 seconds."""
        assert self.held is not None, f"{self.name} has no credential"
        issued_at_s = at_s - at_s % CODE_REFRESH_SECONDS
        nonce = self.seed.dice("nonce", self.name, str(issued_at_s)).randrange(1 << 16)
        return core.make_code(self.held.credential, self.held.code_secret, issued_at_s, nonce)
