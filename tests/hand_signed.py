"""A gate's signed request written by hand (RFC 9421), so that a test may write it wrong in any way."""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import httpx

from parkflow import core
from parkflow.api.gate_auth import COVERED, TAG
from tests.edge import BASE_URL
from tests.street import StreetGate

HOST = BASE_URL.removeprefix("http://")
# The order of the curve's prime subgroup: S and S + L satisfy the same equation.
ORDER = 2**252 + 27742317777372353535851937790883648493


@dataclass(frozen=True)
class Request:
    """What goes over the wire; headers may be there twice."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header."""
        return next(value for key, value in self.headers if key == name)

    def without(self, *names: str) -> "Request":
        """The same with these headers left out."""
        return replace(self, headers=[pair for pair in self.headers if pair[0] not in names])

    def adding(self, name: str, value: str) -> "Request":
        """The same with a further header."""
        return replace(self, headers=[*self.headers, (name, value)])

    def changing(self, name: str, old: str, new: str) -> "Request":
        """The same with a part of a header's value replaced."""
        value = self.header(name)
        assert old in value
        return self.without(name).adding(name, value.replace(old, new))

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        """Send it as it is."""
        return await client.request(self.method, self.url, content=self.body, headers=list(self.headers))


@dataclass
class Sheet:
    """What is signed, ready to be written on; unchanged it is right."""

    gate: StreetGate
    body: bytes
    now: datetime
    method: str = "POST"
    secret: bytes = b""
    digest: str = ""
    signature: bytes | None = None
    parts: list[str] = field(default_factory=lambda: [f'"{name}"' for name in COVERED])
    values: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.secret = self.secret or self.gate.secret
        self.digest = digest_of(self.body)
        self.values = {
            '"@method"': self.method,
            '"@authority"': HOST,
            '"@path"': f"/v1/gates/{self.gate.text}/scans",
            '"@query"': "?",
        }
        self.params = {
            "created": str(int(self.now.timestamp())),
            "keyid": f'"{self.gate.text}"',
            "nonce": f'"{secrets.token_urlsafe(16)}"',
            "tag": f'"{TAG}"',
        }

    def base(self) -> bytes:
        """The signature base."""
        values = {'"content-digest"': self.digest, **self.values}
        lines = [f"{part}: {values[part]}" for part in self.parts]
        return "\n".join([*lines, f'"@signature-params": {self._inner()}']).encode()

    def request(self) -> Request:
        """The signed request."""
        signature = core.sign(self.secret, self.base()) if self.signature is None else self.signature
        headers = [
            ("Content-Digest", self.digest),
            ("Signature-Input", f"sig={self._inner()}"),
            ("Signature", signature_text(signature)),
        ]
        return Request("POST", f"{BASE_URL}/v1/gates/{self.gate.text}/scans", headers, self.body)

    def _inner(self) -> str:
        params = "".join(f";{name}={value}" for name, value in self.params.items())
        return f"({' '.join(self.parts)}){params}"


def digest_of(body: bytes, algorithm: str = "sha-256") -> str:
    """Content-Digest (RFC 9530)."""
    digest = hashlib.new(algorithm.replace("-", ""), body).digest()
    return f"{algorithm}=:{base64.b64encode(digest).decode()}:"


def signature_text(signature: bytes, label: str = "sig") -> str:
    """The Signature header."""
    return f"{label}=:{base64.b64encode(signature).decode()}:"


def signature_in(request: Request) -> bytes:
    """The bytes in its Signature header."""
    return base64.b64decode(request.header("Signature").partition(":")[2].rstrip(":"))
