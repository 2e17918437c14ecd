"""Commands about codes by hand: make one, say whether one is good, explain what a verdict means."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from parkflow import core, qr_commands
from parkflow.kit.clock import clock_from_environment
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import from_text
from parkflow.reason_texts import TEXTS, ReasonText

_EXIT_REFUSED: Final = 1
_SECONDS_MAX: Final = (1 << 32) - 1
_CODE_LENGTH_MAX: Final = 4_296
_SECRET_BYTES: Final = 32
_SUBJECT_BYTES: Final = 16
_NONCE_MAX: Final = (1 << 16) - 1
# As the service does it: the clocks of phone and gate may both be behind.
_NOT_BEFORE_SLACK: Final = timedelta(seconds=60)
_CARD_ID_PREFIX: Final = "card"
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_MOMENT: Final = click.DateTime(["%Y-%m-%dT%H:%M:%S%z"])
_BYTE: Final = click.IntRange(0, 255)
_SECONDS: Final = click.IntRange(0, _SECONDS_MAX)


class CodeMalformed(ParkflowError):
    """The text is not a code."""

    code = "code_malformed"
    status = 422


class KeyMalformed(ParkflowError):
    """An issuer key is written KID:HEX, its number and its 32 bytes in hex."""

    code = "key_malformed"
    status = 422


class SecretFileMalformed(ParkflowError):
    """A key file holds one secret in hex, as `parkflow keys new --out` writes it."""

    code = "secret_file_malformed"
    status = 422


class OptionRefused(ParkflowError):
    """An option's value, or what it is given together with, makes no sense."""

    code = "option_refused"


class UnknownReason(ParkflowError):
    """No verdict has this reason."""

    code = "unknown_reason"


class CodeNotMade(ParkflowError):
    """A code is not made of this: its credential would be refused everywhere."""

    code = "code_not_made"
    status = 422


@dataclass(frozen=True, slots=True)
class _Order:
    """What `code issue` was asked for; what was left out is None."""

    issuer_secret_file: Path
    kid: int
    code_secret_file: Path | None
    subject: str | None
    card: str | None
    serial: int | None
    subject_key_file: Path | None
    at: datetime | None
    not_before: datetime | None
    lifetime_minutes: int
    product: int
    ceiling: int
    nonce: int | None


@dataclass(frozen=True, slots=True)
class _Check:
    """What `code verify` was asked: the verifier's keys, settings, deny list and clock."""

    keys: tuple[str, ...]
    at: datetime | None
    denied: tuple[str, ...]
    product: int | None
    fee_due: int | None
    age_max: int
    skew: int


@click.group()
def code() -> None:
    """Issue, verify and explain codes by hand, without a database."""


@code.command()
@click.option("--issuer-secret-file", type=_FILE, required=True, help="The issuer's secret key in hex.")
@click.option("--kid", type=click.IntRange(1, _SECONDS_MAX), required=True, help="The issuer key's number.")
@click.option("--code-secret-file", type=_FILE, help="The code key's secret in hex; left out, one is made and lost.")
@click.option("--subject", help="The sealed card reference, 16 bytes in hex; left out, random bytes.")
@click.option("--card", help="Seal this card (card_…) instead; needs --serial and --subject-key-file.")
@click.option("--serial", type=click.IntRange(0, (1 << 63) - 1), help="The credential's serial on the card.")
@click.option("--subject-key-file", type=_FILE, help="The sealing key, 16 bytes in hex.")
@click.option("--at", type=_MOMENT, help="The code's moment; left out, now.")
@click.option("--not-before", type=_MOMENT, help="The credential's beginning; left out, a minute before the code.")
@click.option("--lifetime-minutes", type=click.IntRange(1, 4_320), default=1_440, show_default=True)
@click.option("--product", type=_BYTE, default=core.PRODUCT_PARKING, show_default=True, help="1 parking, 2 transit.")
@click.option("--ceiling", type=click.IntRange(0, 65_535), default=0, show_default=True, help="0 = no limit.")
@click.option("--nonce", type=click.IntRange(0, _NONCE_MAX), help="Left out, random.")
def issue(**chosen: Any) -> None:
    """Make a credential and a code of it, and print the code's text."""
    order = _Order(**chosen)
    at = order.at or clock_from_environment().now()
    issuer_secret = _secret_in(order.issuer_secret_file, _SECRET_BYTES)
    code_secret = secrets.token_bytes(_SECRET_BYTES)
    if order.code_secret_file is not None:
        code_secret = _secret_in(order.code_secret_file, _SECRET_BYTES)
    else:
        click.echo(f"a fresh code key is used, its secret is not kept: {core.public_key(code_secret).hex()}", err=True)
    nonce = secrets.randbelow(_NONCE_MAX + 1) if order.nonce is None else order.nonce
    try:
        fields = core.CredentialFields(
            kid=order.kid,
            subject=_subject_of(order),
            code_key=core.public_key(code_secret),
            not_before_s=int((order.not_before or at - _NOT_BEFORE_SLACK).timestamp()),
            lifetime_minutes=order.lifetime_minutes,
            product=order.product,
            ceiling=order.ceiling,
        )
        credential = core.issue_credential(issuer_secret, fields)
        text = core.make_code(credential, code_secret, int(at.timestamp()), nonce)
    except (ValueError, OverflowError) as error:
        raise CodeNotMade(f"the code cannot be made: {error}") from error
    click.echo(text)


qr_commands.add_to(code)


@code.command()
@click.argument("text")
@click.option("--key", "keys", multiple=True, required=True, help="An issuer's public key, KID:HEX; may be repeated.")
@click.option("--at", type=_MOMENT, help="The moment of the scan; left out, now.")
@click.option("--denied", multiple=True, help="A denied subject, 16 bytes in hex; may be repeated.")
@click.option("--product", type=_BYTE, help="The only product taken; left out, any.")
@click.option("--fee-due", type=_SECONDS, help="The fee to be let out unpaid, in whole currency units.")
@click.option("--age-max", type=_SECONDS, default=30, show_default=True, help="Seconds that a code may be shown.")
@click.option("--skew", type=_SECONDS, default=30, show_default=True, help="Seconds between two clocks.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(text: str, as_json: bool, **chosen: Any) -> None:
    """Verify the code TEXT as a gate would; exit code 1 if it is refused, 2 if it is no code."""
    check = _Check(**chosen)
    try:
        said = core.decode_code(text[: _CODE_LENGTH_MAX + 1])
    except core.CodeError as error:
        meaning = TEXTS[error.reason].meaning
        raise CodeMalformed(
            f"this is not a code ({_number_of(error.reason)} {error.reason}: {meaning});"
            " it begins with PF1: and has 298 characters"
        ) from error
    verdict = _verdict(text, check)
    content = {
        "verdict": verdict.name,
        "reason": verdict.reason,
        "meaning": TEXTS[verdict.name].meaning,
        "kid": said.credential.kid,
        "subject": said.credential.subject.hex(),
        "code_id": said.code_id.hex(),
        "issued_at": _instant(said.issued_at_s),
        "not_before": _instant(said.credential.not_before_s),
        "not_after": _instant(said.credential.not_after_s),
        "product": said.credential.product,
        "ceiling": said.credential.ceiling,
    }
    click.echo(json.dumps(content) if as_json else "\n".join(f"{name:<11}{what}" for name, what in content.items()))
    if not verdict.accepted:
        raise SystemExit(_EXIT_REFUSED)


@code.command()
@click.argument("reason", metavar="NUMBER_OR_NAME")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(reason: str, as_json: bool) -> None:
    """Say what a verdict means, and what driver and gate maker do about it: `explain 9`, `explain code_stale`."""
    number, text = _reason_named(reason)
    name = core.GATE_REASONS[number]
    if as_json:
        click.echo(json.dumps({"reason": number, "name": name, **text._asdict()}))
        return
    click.echo(f"{number} {name}: {text.meaning}")
    click.echo(f"driver      {text.driver}")
    click.echo(f"gate maker  {text.gate_maker}")


def _verdict(text: str, check: _Check) -> core.Verdict:
    """What a gate with these keys and settings, and nothing seen before, says at that moment."""
    now = check.at if check.at is not None else clock_from_environment().now()
    try:
        keys = core.KeySet([_key(key) for key in check.keys])
    except ValueError as error:
        raise KeyMalformed(str(error)) from error
    return core.verify_code(
        text,
        now_s=int(now.timestamp()),
        keys=keys,
        policy=core.Policy(check.age_max, check.skew, product=check.product, fee_due_units=check.fee_due),
        deny=core.DenyList(_bytes("--denied", subject, _SUBJECT_BYTES) for subject in check.denied),
    )


def _reason_named(reason: str) -> tuple[int, ReasonText]:
    numbers = {name: number for number, name in core.GATE_REASONS.items()}
    # Not every run of digits is worth reading: a long one is an error of its own in Python.
    digits = reason.isascii() and reason.isdecimal() and len(reason) <= len(str(max(core.GATE_REASONS)))
    number = int(reason) if digits else numbers.get(reason, -1)
    if number not in core.GATE_REASONS:
        own = core.GATE_REASONS.keys() - core.REASONS.keys()
        known = f"0 to {max(core.REASONS)}, {min(own)} to {max(own)}"
        raise UnknownReason(f"no reason is called {reason[:40]!r}; they are {known}, or by name")
    return number, TEXTS[core.GATE_REASONS[number]]


def _number_of(name: str) -> int:
    return next(number for number, known in core.REASONS.items() if known == name)


def _subject_of(order: _Order) -> bytes:
    sealing = (order.card, order.serial, order.subject_key_file)
    if order.card is None or order.serial is None or order.subject_key_file is None:
        if any(given is not None for given in sealing):
            raise OptionRefused("--card, --serial and --subject-key-file go together")
        if order.subject is None:
            return secrets.token_bytes(_SUBJECT_BYTES)
        return _bytes("--subject", order.subject, _SUBJECT_BYTES)
    if order.subject is not None:
        raise OptionRefused("give --subject or --card, not both")
    key = _secret_in(order.subject_key_file, _SUBJECT_BYTES)
    return core.seal_subject(key, from_text(_CARD_ID_PREFIX, order.card), order.serial)


def _secret_in(path: Path, length: int) -> bytes:
    """The secret in a key file; what is wrong is told without a word of what the file holds."""
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise SecretFileMalformed(f"{path} does not hold a key: {length} bytes in hex on one line") from error
    if len(secret) != length:
        raise SecretFileMalformed(f"{path} holds {len(secret)} bytes; this key has {length}")
    return secret


def _bytes(option: str, text: str, length: int) -> bytes:
    try:
        content = bytes.fromhex(text)
    except ValueError as error:
        raise OptionRefused(f"{option} is written in hex") from error
    if len(content) != length:
        raise OptionRefused(f"{option} has {length} bytes, not {len(content)}")
    return content


def _key(text: str) -> core.IssuerKey:
    kid, _, public_key = text.partition(":")
    try:
        return core.IssuerKey(int(kid), bytes.fromhex(public_key), 0, None, 0, _SECONDS_MAX)
    except (ValueError, OverflowError) as error:
        raise KeyMalformed(f"{text[:80]!r}: {error}; a key is written KID:HEX") from error


def _instant(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
