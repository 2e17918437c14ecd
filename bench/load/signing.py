"""A gate's signature over a request, for senders that sign hundreds a second.

HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), as docs/architecture.md's uplink signs them. The
service's own verifier, a maintained library, takes them or the run has nothing to report.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from parkflow import core

_COMPONENTS: Final = '("@method" "@authority" "@path" "@query" "content-digest")'


@dataclass(frozen=True, slots=True)
class Signer:
    """The key of one gate, and the host that it speaks to (`127.0.0.1:8000`)."""

    gate: str
    secret: bytes
    authority: str

    def path(self, what: str) -> str:
        """Where the gate sends or asks for `what`: `scans`, `bundle`, `heartbeat`."""
        return f"/v1/gates/{self.gate}/{what}"

    def headers(self, method: str, path: str, body: bytes, *, created_s: int) -> dict[str, str]:
        """The headers that make the request the gate's own; `path` has no query."""
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        parameters = (
            f'{_COMPONENTS};created={created_s};keyid="{self.gate}";alg="ed25519"'
            f';nonce="{secrets.token_urlsafe(16)}";tag="parkflow-gate"'
        )
        base = (
            f'"@method": {method}\n"@authority": {self.authority}\n"@path": {path}\n"@query": ?\n'
            f'"content-digest": {digest}\n"@signature-params": {parameters}'
        )
        signature = base64.b64encode(core.sign(self.secret, base.encode())).decode()
        return {
            "Content-Digest": digest,
            "Signature-Input": f"pf={parameters}",
            "Signature": f"pf=:{signature}:",
        }
