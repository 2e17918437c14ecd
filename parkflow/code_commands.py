"""Commands about codes by hand: what a code says, and whether it is good."""

import json
from datetime import UTC, datetime
from typing import Final

import click

from parkflow import core
from parkflow.kit.clock import clock_from_environment
from parkflow.kit.errors import ParkflowError

_EXIT_REFUSED: Final = 1
_END_OF_TIME_S: Final = (1 << 32) - 1
_CODE_LENGTH_MAX: Final = 4_296


class CodeMalformed(ParkflowError):
    """The text is not a code."""

    code = "code_malformed"
    status = 422


class KeyMalformed(ParkflowError):
    """An issuer key is written KID:HEX, its number and its 32 bytes in hex."""

    code = "key_malformed"
    status = 422


@click.group()
def code() -> None:
    """Look at codes by hand."""


@code.command()
@click.argument("text")
@click.option("--key", "keys", multiple=True, required=True, help="An issuer's public key, KID:HEX; may be repeated.")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="The moment of the scan; left out, now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(text: str, keys: tuple[str, ...], at: datetime | None, as_json: bool) -> None:
    """Verify the code TEXT as a gate would; exit code 1 if it is refused, 2 if it is no code."""
    try:
        said = core.decode_code(text[: _CODE_LENGTH_MAX + 1])
    except core.CodeError as error:
        raise CodeMalformed(f"this is not a code ({error.code}); it begins with PF1: and has 298 characters") from error
    now = at if at is not None else clock_from_environment().now()
    verdict = core.verify_code(
        text, now_s=int(now.timestamp()), keys=core.KeySet([_key(key) for key in keys]), policy=core.Policy()
    )
    content = {
        "verdict": verdict.name,
        "kid": said.credential.kid,
        "code_id": said.code_id.hex(),
        "issued_at": _instant(said.issued_at_s),
        "not_before": _instant(said.credential.not_before_s),
        "not_after": _instant(said.credential.not_after_s),
        "product": said.credential.product,
    }
    click.echo(json.dumps(content) if as_json else "\n".join(f"{name:<11}{what}" for name, what in content.items()))
    if not verdict.accepted:
        raise SystemExit(_EXIT_REFUSED)


def _key(text: str) -> core.IssuerKey:
    kid, _, public_key = text.partition(":")
    try:
        return core.IssuerKey(int(kid), bytes.fromhex(public_key), 0, None, 0, _END_OF_TIME_S)
    except (ValueError, OverflowError) as error:
        raise KeyMalformed(f"{text[:80]!r}: {error}; a key is written KID:HEX") from error


def _instant(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
