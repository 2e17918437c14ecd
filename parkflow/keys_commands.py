"""Commands about keys: make and check one by hand, and list, rotate and publish those of an operator."""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from parkflow import core
from parkflow.credential import keys as credential_keys
from parkflow.credential.keys import IssuerKey
from parkflow.day_commands import with_services
from parkflow.db.tx import tx
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import from_text
from parkflow.operator import service as operators
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from parkflow.services import Services

_EXIT_REFUSED: Final = 1
_SECRET_BYTES: Final = 32
_PRODUCTS: Final = {"parking": core.PRODUCT_PARKING, "transit": core.PRODUCT_TRANSIT}
_APPLICATION: Final = "parkflow keys"
_OPERATOR: Final = click.option("--operator", "operator_text", required=True, help="The operator's id (op_…).")
_PRODUCT: Final = click.option(
    "--product", type=click.Choice(sorted(_PRODUCTS)), default="parking", show_default=True, help="What it signs for."
)


class SecretNotShown(ParkflowError):
    """A secret key is not printed by accident: name a new file with --out, or say --print-secret."""

    code = "secret_not_shown"


class KeyFileRefused(ParkflowError):
    """The file for the secret key cannot be made; an existing file is never overwritten."""

    code = "key_file_refused"


class PublicKeyNotHex(ParkflowError):
    """A public key is written in hex, 64 characters."""

    code = "public_key_not_hex"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: the key that it made, the one that it ended, and the one that signs now."""

    made: IssuerKey
    retired: IssuerKey | None
    signing: IssuerKey


@click.group()
def keys() -> None:
    """Make, check, list and rotate Ed25519 keys."""


@keys.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A new file for the secret, mode 0600.")
@click.option("--print-secret", is_flag=True, help="Print the secret instead; it may stay in logs and histories.")
def new(out: Path | None, print_secret: bool) -> None:
    """Make a key pair for use by hand: the secret into a file, the public key on standard output, both in hex."""
    if (out is None) != print_secret:
        raise SecretNotShown
    secret = secrets.token_bytes(_SECRET_BYTES)
    if out is not None:
        _write_secret(out, secret)
        click.echo(core.public_key(secret).hex())
        return
    click.echo(f"secret  {secret.hex()}")
    click.echo(f"public  {core.public_key(secret).hex()}")


@keys.command()
@click.argument("public_key_hex")
def check(public_key_hex: str) -> None:
    """Say whether rule PF-1 takes the key PUBLIC_KEY_HEX; exit code 1 with the reason if it does not."""
    try:
        public_key = bytes.fromhex(public_key_hex)
    except ValueError as error:
        raise PublicKeyNotHex from error
    refusal = core.public_key_refusal(public_key)
    if refusal is not None:
        click.echo(f"refused: {refusal}")
        raise SystemExit(_EXIT_REFUSED)
    click.echo("good: canonical, on the curve, of the prime-order group, not the identity")


@keys.command("list")
@_OPERATOR
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_keys(operator_text: str, as_json: bool) -> None:
    """List the operator's issuer keys, oldest first, and say which one signs now."""
    operator_id = from_text(operators.ID_PREFIX, operator_text)

    async def work(services: Services) -> list[dict[str, Any]]:
        async with services.pool.acquire() as conn:
            await operators.get(conn, operator_id)
            found = await credential_keys.issuer_keys(conn, operator_id)
        return _listed(found, services.clock.now())

    listed = with_services(_APPLICATION, work)
    click.echo(json.dumps(listed) if as_json else "\n".join(_line(key) for key in listed))


@keys.command()
@_OPERATOR
@_PRODUCT
@click.option("--retire-kid", type=click.IntRange(min=1), help="A leaked key: its window ends now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rotate(operator_text: str, product: str, retire_kid: int | None, as_json: bool) -> None:
    """Make the operator's next issuer key now.

    Older keys end in ten days, so that nothing that they signed is lost; the new key takes over three days before that,
    when every gate has it. With --retire-kid that key ends at once: gates refuse its codes as soon as they have the
    next bundle, phones need new credentials, and the oldest key that is left signs.
    """
    operator_id = from_text(operators.ID_PREFIX, operator_text)
    done = with_services(
        _APPLICATION, lambda services: _rotate(services, operator_id, _PRODUCTS[product], retire_kid=retire_kid)
    )
    if as_json:
        retired = None if done.retired is None else done.retired.kid
        click.echo(json.dumps({"made_kid": done.made.kid, "retired_kid": retired, "signing_kid": done.signing.kid}))
        return
    click.echo(f"made     {done.made.kid}, from {_instant(done.made.not_before)} to {_instant(done.made.not_after)}")
    if done.retired is not None:
        click.echo(f"retired  {done.retired.kid}, ended {_instant(done.retired.not_after)}")
    click.echo(f"signing  {done.signing.kid}")


@keys.command()
@_OPERATOR
def root(operator_text: str) -> None:
    """Print the operator's root public key in hex: what a gate checks bundles with."""
    operator_id = from_text(operators.ID_PREFIX, operator_text)

    async def work(services: Services) -> bytes:
        async with services.pool.acquire() as conn:
            return (await operators.get(conn, operator_id)).root_public_key

    click.echo(with_services(_APPLICATION, work).hex())


async def _rotate(services: Services, operator_id: int, product: int, *, retire_kid: int | None) -> Rotation:
    """Rotate, and put it on record, in one transaction. Raises NotFound, UnknownKid."""
    now, vault = services.clock.now(), services.vault
    by = Principal(operator_id, Role.ADMIN, _APPLICATION)
    async with tx(services.pool) as conn:
        await operators.get(conn, operator_id)
        retired = None
        if retire_kid is not None:
            retired = await credential_keys.retire_issuer_key(
                conn, operator_id, product=product, kid=retire_kid, now=now
            )
            await operators.record(conn, by, action="issuer_key_retired", subject=f"kid {retire_kid}", now=now)
        made = await credential_keys.rotate_issuer_key(conn, vault, operator_id, product=product, now=now)
        await operators.record(conn, by, action="issuer_key_made", subject=f"kid {made.kid}", now=now)
        signing = await credential_keys.ensure_issuer_key(conn, vault, operator_id, now=now, product=product)
    return Rotation(made, retired, signing)


def _write_secret(path: Path, secret: bytes) -> None:
    # O_EXCL: whoever loses a race for the name is told so, and the mode holds from the first byte on.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyFileRefused(f"{path} exists; a key file is never overwritten, choose another name") from error
    except OSError as error:
        raise KeyFileRefused(f"{path} cannot be made: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def _listed(found: list[IssuerKey], now: datetime) -> list[dict[str, Any]]:
    names = {number: name for name, number in _PRODUCTS.items()}
    signing = {
        signer.kid
        for product in {key.product for key in found}
        if (signer := credential_keys.signing_key((key for key in found if key.product == product), now=now))
    }
    return [
        {
            "kid": key.kid,
            "product": names.get(key.product, str(key.product)),
            "algorithm": "Ed25519",
            "not_before": _instant(key.not_before),
            "not_after": _instant(key.not_after),
            "public_key": key.public_key.hex(),
            "signs_now": key.kid in signing,
        }
        for key in found
    ]


def _line(key: dict[str, Any]) -> str:
    mark = "signs now" if key["signs_now"] else ""
    columns = (f"{key['kid']:>10}", key["product"], key["algorithm"], key["not_before"], key["not_after"])
    return "  ".join((*columns, key["public_key"], mark)).rstrip()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
