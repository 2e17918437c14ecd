"""`parkflow receipt`: recompute a fee from its receipt, show a receipt to people, export one from the database."""

import json
import sys
from pathlib import Path
from typing import Final

import click

from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import from_text
from parkflow.receipt.document import DOCUMENT_BYTES_MAX, Receipt, ReceiptUnreadable, read
from parkflow.receipt.terminal import as_text
from parkflow.receipt.texts import LANGUAGE_DEFAULT, TEXTS
from parkflow.receipt.verify import Outcome, verify
from parkflow.receipt.words import statement

EXIT_CHECK_FAILED: Final = 1
EXIT_UNREADABLE: Final = 2
_DIFFERENCES_SHOWN_MAX: Final = 5
_STDIN: Final = "-"
_FILE: Final = click.Path(path_type=Path, allow_dash=True)
_OUT: Final = click.Path(path_type=Path, dir_okay=False)


class ReceiptFileUnreadable(ReceiptUnreadable):
    """The file cannot be read."""

    code = "receipt_file_unreadable"


class ReceiptFileNotWritten(ParkflowError):
    """The file cannot be written."""

    code = "receipt_file_not_written"


@click.group(name="receipt")
def receipt() -> None:
    """Fee receipts: documents from which anybody can compute the fee again (docs/receipts.md)."""


@receipt.command(name="verify")
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify_file(file: Path, as_json: bool) -> None:
    """Compute the fee of the receipt in FILE (- is standard input) again, from nothing but the receipt.

    Exit code 0: everything is the same; 1: something differs, and what; 2: FILE is no receipt.
    """
    try:
        found = _read(file)
    except ReceiptUnreadable as error:
        if not as_json:
            raise
        click.echo(json.dumps({"same": False, "error": {"code": error.code, "message": error.message}}))
        raise SystemExit(EXIT_UNREADABLE) from None
    outcome = verify(found)
    click.echo(_as_json(found, outcome) if as_json else _as_text(found, outcome))
    if not outcome.same:
        raise SystemExit(EXIT_CHECK_FAILED)


@receipt.command()
@click.argument("file", type=_FILE)
@click.option("--lang", "language", type=click.Choice(sorted(TEXTS)), default=LANGUAGE_DEFAULT, show_default=True)
@click.option("--html", "page", type=_OUT, help="Write a page that needs nothing else, in place of text.")
@click.option("--pdf", type=_OUT, help="Write a PDF, in place of text.")
def show(*, file: Path, language: str, page: Path | None, pdf: Path | None) -> None:
    """Show the receipt in FILE (- is standard input) to people, after computing it again; exit code as of `verify`."""
    told = statement(_read(file), language)
    # The makers of pages and PDFs are loaded only where one is made.
    if page is not None:
        from parkflow.receipt.page import as_page

        _write(page, as_page(told).encode())
        click.echo(f"{page}: {told.verdict}")
    if pdf is not None:
        from parkflow.receipt.pdf import as_pdf

        _write(pdf, as_pdf(told))
        click.echo(f"{pdf}: {told.verdict}")
    if page is None and pdf is None:
        click.echo(as_text(told))
    if not told.right:
        raise SystemExit(EXIT_CHECK_FAILED)


@receipt.command()
@click.option("--stay", "stay_text", required=True, help="The stay's id (stay_…).")
@click.option("--out", type=_OUT, required=True, help="Where to write the receipt; an existing file is replaced.")
def export(stay_text: str, out: Path) -> None:
    """Write the receipt of a stay from the database; it contains no phone, no plate and no account."""
    # Loading the service and its database takes seconds, which only this command has to wait for.
    from parkflow.day_commands import with_services
    from parkflow.receipt import service
    from parkflow.services import Services

    stay_id = from_text(service.ID_PREFIX, stay_text)

    async def find(services: Services) -> Receipt:
        async with services.pool.acquire() as conn:
            return await service.of_stay(conn, stay_id)

    found = with_services("parkflow receipt", find)
    _write(out, found.to_json().encode())
    click.echo(f"{out}: {stay_text}, sha256 {found.calculation_sha256}")


def _read(file: Path) -> Receipt:
    """Raises ReceiptUnreadable. One byte more than is allowed is read, however long the file is."""
    if str(file) == _STDIN:
        return read(sys.stdin.buffer.read(DOCUMENT_BYTES_MAX + 1))
    try:
        with file.open("rb") as opened:
            return read(opened.read(DOCUMENT_BYTES_MAX + 1))
    except OSError as error:
        raise ReceiptFileUnreadable(f"receipt_file_unreadable: {file}: {error.strerror}") from None


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ReceiptFileNotWritten(f"receipt_file_not_written: {file}: {error.strerror}") from None


def _as_json(found: Receipt, outcome: Outcome) -> str:
    record = found.calculation.record
    return json.dumps(
        {
            "same": outcome.same,
            "stay_id": found.calculation.stay_id,
            "fee_minor": record.fee_minor,
            "computed_fee_minor": outcome.fee_minor,
            "currency": record.currency,
            "calculation_sha256": found.calculation_sha256,
            "differences": [one._asdict() for one in outcome.differences],
            "warnings": [one._asdict() for one in outcome.warnings],
        },
        ensure_ascii=False,
    )


def _as_text(found: Receipt, outcome: Outcome) -> str:
    record = found.calculation.record
    rows = [f"warning: {one.code}: {one.text}" for one in outcome.warnings]
    if outcome.same:
        what = f"{record.fee_minor} minor units of {record.currency}, {len(record.lines)} lines"
        rows.append(f"the same: {what}, tariff {record.tariff_id} sha256 {record.tariff_sha256}")
    rows += [f"differs: {one}" for one in outcome.differences[:_DIFFERENCES_SHOWN_MAX]]
    more = len(outcome.differences) - _DIFFERENCES_SHOWN_MAX
    rows += [f"and {more} more"] if more > 0 else []
    return "\n".join("".join(c if c.isprintable() else " " for c in row) for row in rows)
