"""A browser's WebCrypto makes codes that the core takes, with a key that cannot leave the browser."""

import contextlib
import json
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from parkflow import core

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")

# A cold start on a busy machine takes many seconds, and a browser that hangs must end the test.
BROWSER_SECONDS_MAX = 90
# The sandbox needs rights that containers do not give; the only page shown is the one below.
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
ISSUER_SECRET = bytes(range(32))
KID = 3
KEYS = core.KeySet([core.IssuerKey(KID, core.public_key(ISSUER_SECRET), 1, core.PRODUCT_PARKING, 0, 2**33)])
NOON_S = 1_792_497_600
NONCE = 0xBEEF

PAGE = """<!doctype html><meta charset="utf-8"><title>A phone</title><script>
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
const send = (path, body) => fetch(path, {method: 'POST', body});

async function exportOf(key, format) {
  try {
    await crypto.subtle.exportKey(format, key);
    return 'exported';
  } catch (error) {
    return error.name;
  }
}

async function makeCode() {
  const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
  const message = await send('/key', await crypto.subtle.exportKey('raw', pair.publicKey));
  const signature = await crypto.subtle.sign('Ed25519', pair.privateKey, await message.arrayBuffer());
  return {
    signature: hex(signature),
    secure: String(isSecureContext),
    extractable: String(pair.privateKey.extractable),
    pkcs8: await exportOf(pair.privateKey, 'pkcs8'),
    jwk: await exportOf(pair.privateKey, 'jwk'),
    raw: await exportOf(pair.privateKey, 'raw'),
  };
}

makeCode().catch((error) => ({failure: String(error)})).then((report) => send('/report', JSON.stringify(report)));
</script>"""


@dataclass(frozen=True)
class Phone:
    """What a browser made: its public key, what it was given to sign, and its report."""

    key: bytes
    credential: bytes
    report: dict[str, str]

    @property
    def signed(self) -> bytes:
        return self.credential + NOON_S.to_bytes(4, "big") + NONCE.to_bytes(2, "big")

    @property
    def signature(self) -> bytes:
        return bytes.fromhex(self.report["signature"])


def credential_for(key: bytes) -> bytes:
    fields = core.CredentialFields(
        kid=KID,
        subject=core.seal_subject(bytes(16), 1, 1),
        code_key=key,
        not_before_s=NOON_S - 3_600,
        lifetime_minutes=1_440,
        product=core.PRODUCT_PARKING,
        ceiling=0,
    )
    return core.issue_credential(ISSUER_SECRET, fields)


@contextlib.contextmanager
def served(answer: Callable[[str, bytes], bytes]) -> Iterator[str]:
    """The address of a server that gives the page, and `answer(path, body)` to what the page sends.

    An address of this machine is a secure context without a certificate.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(PAGE.encode(), "text/html; charset=utf-8")

        def do_POST(self) -> None:
            self.reply(answer(self.path, self.rfile.read(int(self.headers["content-length"]))), "application/json")

        def reply(self, body: bytes, content_type: str) -> None:
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def browser(address: str) -> Iterator[Path]:
    """A browser of its own profile that shows the address; gives the file of its messages."""
    assert CHROMIUM is not None
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pf-browser-", ignore_cleanup_errors=True))
        messages = Path(folder, "messages.txt")
        sink = stack.enter_context(messages.open("wb"))
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}/profile", address]
        process = stack.enter_context(subprocess.Popen(command, stdout=sink, stderr=sink))
        try:
            yield messages
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def phone() -> Phone:
    """A browser that has made one code."""
    given: queue.Queue[tuple[bytes, bytes]] = queue.Queue()
    reports: queue.Queue[dict[str, str]] = queue.Queue()

    def answer(path: str, body: bytes) -> bytes:
        if path == "/report":
            reports.put(json.loads(body))
            return b"{}"
        credential = credential_for(body)
        given.put((body, credential))
        return b"parkflow/code/1\0" + credential + NOON_S.to_bytes(4, "big") + NONCE.to_bytes(2, "big")

    with served(answer) as address, browser(address) as messages:
        try:
            report = reports.get(timeout=BROWSER_SECONDS_MAX)
        except queue.Empty:
            pytest.fail(f"no report from the browser; its messages: {messages.read_text(errors='replace')[-2_000:]}")
    if "failure" in report:
        pytest.fail(f"the browser cannot do it: {report['failure']}")
    key, credential = given.get_nowait()
    return Phone(key, credential, report)


def code_text(phone: Phone, signature: bytes) -> str:
    content = phone.signed + signature
    assert len(content) == 196
    return core.PREFIX + core.encode_base45(content)


def test_a_browsers_code_is_accepted(phone: Phone) -> None:
    assert core.check_public_key(phone.key)
    assert core.ed25519_verify(phone.key, b"parkflow/code/1\0" + phone.signed, phone.signature)
    assert core.verify_message(phone.key, "code/1", phone.signed, phone.signature)
    text = code_text(phone, phone.signature)
    policy = core.Policy(product=core.PRODUCT_PARKING)
    verdict = core.verify_code(text, now_s=NOON_S + 5, keys=KEYS, policy=policy)
    assert verdict.name == "accepted"
    assert (verdict.code_key, verdict.issued_at_s, verdict.nonce) == (phone.key, NOON_S, NONCE)
    assert core.verify_codes([text], [NOON_S + 5], keys=KEYS, policy=policy) == [verdict]


def test_no_bit_of_a_browsers_signature_can_be_turned(phone: Phone) -> None:
    number = int.from_bytes(phone.signature, "big")
    turned = [(number ^ 1 << place).to_bytes(64, "big") for place in range(512)]
    message = b"parkflow/code/1\0" + phone.signed
    assert not any(core.ed25519_verify(phone.key, message, signature) for signature in turned)
    texts = [code_text(phone, signature) for signature in turned]
    verdicts = core.verify_codes(texts, [NOON_S] * 512, keys=KEYS, policy=core.Policy())
    assert {verdict.name for verdict in verdicts} == {"bad_code_signature"}


def test_the_secret_key_cannot_leave_the_browser(phone: Phone) -> None:
    assert phone.report["secure"] == "true"
    assert phone.report["extractable"] == "false"
    refusals = {phone.report[form] for form in ("pkcs8", "jwk", "raw")}
    assert refusals == {"InvalidAccessError"}
