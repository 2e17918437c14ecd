"""How a gate signs its requests: HTTP Message Signatures (RFC 9421) with Ed25519, and Content-Digest (RFC 9530).

All that a gate needs of the RFC: plain components, one signature, no structured fields to parse. The signature base is
one line per component and a last line that names them; its bytes are what is signed.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from parkflow import core

COVERED: Final = ("@method", "@authority", "@path", "@query", "content-digest")
"""What a gate's signature covers, in this order; the service refuses a request that leaves one out."""

TAG: Final = "parkflow-gate"
_LABEL: Final = "gate"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Seal:
    """What makes a signature this one: when it was made (unix seconds) and a text that is never used again."""

    created_s: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Signer:
    """A gate and its Ed25519 secret (32 bytes)."""

    gate: str
    secret: bytes

    def headers(self, method: str, url: str, body: bytes, seal: Seal) -> dict[str, str]:
        """The three headers that a request needs: Content-Digest, Signature-Input, Signature."""
        digest = content_digest(body)
        values = components_of(method, url) | {"content-digest": digest}
        parameters = signature_parameters(
            COVERED,
            {"created": seal.created_s, "keyid": self.gate, "alg": "ed25519", "nonce": seal.nonce, "tag": TAG},
        )
        base = signature_base([(name, values[name]) for name in COVERED], parameters)
        signature = core.sign(self.secret, base)
        return {
            "Content-Digest": digest,
            "Signature-Input": f"{_LABEL}={parameters}",
            "Signature": f"{_LABEL}=:{base64.b64encode(signature).decode()}:",
        }


def content_digest(body: bytes) -> str:
    """The value of Content-Digest; a request without a body has one too, over nothing."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def components_of(method: str, url: str) -> dict[str, str]:
    """The derived components of a request as it is on the wire (RFC 9421 section 2.2)."""
    parts = urlsplit(url)
    return {
        "@method": method,
        # The port is left out where it is the scheme's own.
        "@authority": parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, "")),
        "@path": parts.path or "/",
        # The question mark belongs to it, and stands alone where there is no query.
        "@query": f"?{parts.query}",
    }


def signature_parameters(names: Sequence[str], parameters: Mapping[str, int | str]) -> str:
    """The list of covered components with the parameters: what Signature-Input says after its label."""
    covered = " ".join(f'"{name}"' for name in names)
    return f"({covered})" + "".join(f";{name}={_bare(value)}" for name, value in parameters.items())


def signature_base(components: Sequence[tuple[str, str]], parameters: str) -> bytes:
    """The bytes to sign (RFC 9421 section 2.5)."""
    lines = [f'"{name}": {value}' for name, value in components]
    return "\n".join((*lines, f'"@signature-params": {parameters}')).encode("ascii")


def _bare(value: int | str) -> str:
    """An integer, or a string in quotes; neither quote nor backslash occurs in what a gate writes."""
    if isinstance(value, int):
        return str(value)
    assert not {'"', "\\"} & set(value), value
    return f'"{value}"'
