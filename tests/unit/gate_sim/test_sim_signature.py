"""A gate's signatures are those of RFC 9421: its Ed25519 example, and a maintained library that verifies ours."""

import base64
import json
from pathlib import Path

import pytest
from http_message_signatures import HTTPMessageSignaturesException

from gate_sim.signature import Seal, Signer, components_of, content_digest, signature_base, signature_parameters
from parkflow import core
from tests.unit.gate_sim.service import verified
from tests.unit.gate_sim.stand_in import Request

VECTOR = json.loads((Path(__file__).parents[2] / "golden" / "vectors" / "rfc9421_b26_ed25519.json").read_text())
URL = "http://127.0.0.1:8000/v1/gates/gate_1/scans"


def test_the_example_of_the_rfc_comes_out_byte_for_byte() -> None:
    fields = {"date": "Tue, 20 Apr 2021 02:07:55 GMT", "content-type": "application/json", "content-length": "18"}
    values = components_of("POST", "https://example.com/foo?param=Value&Pet=dog") | fields
    names = ("date", "@method", "@path", "@authority", "content-type", "content-length")
    parameters = signature_parameters(names, {"created": 1_618_884_473, "keyid": "test-key-ed25519"})
    base = signature_base([(name, values[name]) for name in names], parameters)
    assert base.decode() == VECTOR["signature_base"]
    assert f"sig-b26={parameters}" == VECTOR["signature_input"]
    secret = base64.urlsafe_b64decode(VECTOR["seed_b64u"] + "=")
    assert core.sign(secret, base) == base64.b64decode(VECTOR["signature_b64"])


@pytest.mark.parametrize(
    ("url", "authority", "path", "query"),
    [
        ("http://Example.org/a", "example.org", "/a", "?"),
        ("http://example.org:80/a?", "example.org", "/a", "?"),
        ("https://example.org:443", "example.org", "/", "?"),
        ("http://example.org:443/a%2Fb?x=1&y=%20", "example.org:443", "/a%2Fb", "?x=1&y=%20"),
    ],
)
def test_components_are_what_is_on_the_wire(url: str, authority: str, path: str, query: str) -> None:
    assert components_of("GET", url) == {
        "@method": "GET", "@authority": authority, "@path": path, "@query": query
    }  # fmt: skip


def test_the_digest_is_the_example_of_rfc_9530() -> None:
    # Appendix D; the body there ends with a line feed.
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


@pytest.mark.parametrize("url", [URL, f"{URL}?after=1&x=%2F", "http://127.0.0.1/v1/gates/gate_1/bundle"])
def test_a_library_verifies_our_signatures(url: str) -> None:
    headers = Signer("gate_1", b"g" * 32).headers("POST", url, b"{}", Seal(1_508_500_800, "n" * 22))
    result = verified(Request("POST", url, headers, b"{}"))
    assert result.nonce == "n" * 22
    for changed in (
        Request("PUT", url, headers, b"{}"),
        Request("POST", url.replace("gate_1", "gate_2"), headers, b"{}"),
        Request("POST", f"{url}&a=1" if "?" in url else f"{url}?a=1", headers, b"{}"),
        Request("POST", url, headers, b"{ }"),
    ):
        with pytest.raises(HTTPMessageSignaturesException):
            verified(changed)
