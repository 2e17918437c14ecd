"""Commands about QR codes by hand: draw a code's, make and check that of a lot's sign."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from parkflow import core, qr
from parkflow.kit.clock import clock_from_environment
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import ID_LIMIT, from_text, to_text
from parkflow.lot.rules import LotQrPurpose
from parkflow.lot.service import ID_PREFIX as LOT_PREFIX
from parkflow.lot.service import LANE_ID_PREFIX as LANE_PREFIX
from parkflow.operator.service import ID_PREFIX as OPERATOR_PREFIX
from parkflow.settings import load_settings

_EXIT_REFUSED: Final = 1
_KEY_BYTES: Final = 32
# About 8 cm at the 300 dots per inch of a printer.
_LOT_QR_PIXELS: Final = 1_000


class ImageFileRefused(ParkflowError):
    """An image goes into a file that can be written, whose name ends in .svg or .png."""

    code = "image_file_refused"
    status = 422


class RootKeyMalformed(ParkflowError):
    """A root key or its secret is 32 bytes in hex."""

    code = "root_key_malformed"
    status = 422


_file = click.Path(path_type=Path, dir_okay=False)


@click.command("qr")
@click.argument("text")
@click.option("--out", type=_file, required=True, help="FILE.svg or FILE.png.")
@click.option("--pixels", type=int, default=qr.CODE_PIXELS, show_default=True, help="The side of a PNG.")
def draw(text: str, out: Path, pixels: int) -> None:
    """Draw the QR symbol of the code TEXT, as a phone shows it."""
    core.decode_code(text)
    _write(out, svg=lambda: qr.code_svg(text), png=lambda: qr.code_png(text, pixels))


@click.command("lot-qr")
@click.option(
    "--root-secret-file",
    type=click.Path(exists=True, path_type=Path, dir_okay=False),
    required=True,
    help="The operator's root secret, 32 bytes in hex.",
)
@click.option("--operator", required=True, help="The operator's id, op_….")
@click.option("--lot", required=True, help="The lot's id, lot_….")
@click.option("--lane", required=True, help="The lane's id, lane_….")
@click.option("--purpose", type=click.Choice([str(purpose) for purpose in LotQrPurpose]), required=True)
@click.option("--out", type=_file, help="FILE.svg or FILE.png; left out, only the text is printed.")
def make_lot_qr(*, root_secret_file: Path, operator: str, lot: str, lane: str, purpose: str, out: Path | None) -> None:
    """Sign the QR code of a lot's sign, valid from now on for ever, and print its text."""
    fields = core.LotQrFields(
        operator_id=from_text(OPERATOR_PREFIX, operator),
        lot_id=from_text(LOT_PREFIX, lot),
        lane_id=from_text(LANE_PREFIX, lane),
        purpose=purpose,
        issued_at_s=int(clock_from_environment().now().timestamp()),
    )
    root_secret = _key(root_secret_file.read_bytes()[:1_000].decode(errors="replace").strip(), str(root_secret_file))
    text = load_settings().lot_qr_base_url + core.sign_lot_qr(root_secret, fields)
    if out is not None:
        _write(out, svg=lambda: qr.lot_qr_svg(text), png=lambda: qr.lot_qr_png(text, _LOT_QR_PIXELS))
    click.echo(text)


@click.command("check-lot-qr")
@click.argument("text")
@click.option("--root-key", required=True, help="The operator's root public key, 32 bytes in hex.")
def check_lot_qr(text: str, root_key: str) -> None:
    """Check the QR code TEXT of a lot's sign (its address or the token alone); exit code 1 if it is refused."""
    key = _key(root_key, "--root-key")
    # Only behind our own address: a stranger's page could stand before a genuine token.
    token = text.removeprefix(load_settings().lot_qr_base_url)
    try:
        said = core.verify_lot_qr(token, key)
    except core.LotQrRefused as refused:
        click.echo(f"refused: {refused.reason}")
        raise SystemExit(_EXIT_REFUSED) from None
    except ValueError as error:
        raise RootKeyMalformed(f"--root-key: {error}") from error
    issued_at = datetime.fromtimestamp(said.issued_at_s, UTC).isoformat().replace("+00:00", "Z")
    place = [
        f"operator {_id(OPERATOR_PREFIX, said.operator_id)}",
        f"lot {_id(LOT_PREFIX, said.lot_id)}",
        f"lane {_id(LANE_PREFIX, said.lane_id)}",
    ]
    click.echo(f"good: {said.purpose}, {', '.join(place)}, issued {issued_at}")


def add_to(group: click.Group) -> None:
    """Put these commands into the group of the commands about codes."""
    for command in (draw, make_lot_qr, check_lot_qr):
        group.add_command(command)


def _write(out: Path, *, svg: Callable[[], str], png: Callable[[], bytes]) -> None:
    """Write the image that the file's name asks for. Raises ImageFileRefused."""
    match out.suffix:
        case ".svg":
            content = svg().encode()
        case ".png":
            content = png()
        case _:
            raise ImageFileRefused(f"{out}: an image's file name ends in .svg or .png")
    try:
        out.write_bytes(content)
    except OSError as error:
        raise ImageFileRefused(f"{out}: {error.strerror}") from error


def _key(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise RootKeyMalformed(f"{where}: 32 bytes in hex are needed ({2 * _KEY_BYTES} characters)")
    return key


def _id(prefix: str, ident: int) -> str:
    # Whoever holds the secret may have signed any number; only one of 63 bits is an id of ours.
    return to_text(prefix, ident) if 0 <= ident < ID_LIMIT else str(ident)
