"""`parkflow tariff plot`, `import-apds`, `export-apds`: a tariff as a picture, and to and from APDS 4."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
import yaml

from parkflow.core import TariffError
from parkflow.kit.errors import ParkflowError
from parkflow.tariff import plot as drawing
from parkflow.tariff.apds import DOCUMENT_BYTES_MAX, read_document, to_json
from parkflow.tariff.apds_export import export_tariff
from parkflow.tariff.apds_facts import FACTS, facts_of
from parkflow.tariff.apds_import import import_document
from parkflow.tariff.steps import Parker
from parkflow.tariff.tariff_file import load_file, option_instant_s

EXIT_LOSSES: Final = 1

_FILE: Final = click.Path(path_type=Path)
_ORDER: Final = (
    "ptl", "id", "source", "words", "currency", "minor_exponent", "timezone", "valid", "version_at", "clock", "dates",
    "choose", "plans", "if", "grace", "free", "entry_fee", "cycle", "edge", "bands", "caps", "min", "when", "restart",
    "ladder", "loop", "unit", "price", "for", "bill", "max", "over", "from", "to", "days",
)  # fmt: skip
_OUT: Final = "Write to this file instead of the standard output."


class _TariffDumper(yaml.SafeDumper):
    """YAML as tariffs are written; PyYAML follows YAML 1.1, to which 08 is a text, and tariffs YAML 1.2."""


def _quoted_digits(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if text.lstrip("+-").isdigit() else None)


_TariffDumper.add_representer(str, _quoted_digits)


class ExchangeFileUnusable(ParkflowError):
    """A file of another system cannot be read, or ours not be written."""

    code = "exchange_file_unusable"
    status = 422


class PictureNotDrawn(ParkflowError):
    """The picture cannot be drawn or written."""

    code = "picture_not_drawn"
    status = 422


@click.command()
@click.argument("file", type=_FILE)
@click.option("--entry", "entries", multiple=True, required=True, metavar="ISO", help="Entry; one line each.")
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, drawing.HOURS_MAX), help="Longest stay.")
@click.option("--class", "vehicle_class", default=None, help="Vehicle class, such as car or large.")
@click.option("--tag", "tags", multiple=True, help="A fact that plans may ask for, such as lost; may be repeated.")
@click.option("--out", required=True, type=_FILE, help="The picture: a name ending in .svg or .png.")
def plot(
    *, file: Path, entries: tuple[str, ...], hours: int, vehicle_class: str | None, tags: tuple[str, ...], out: Path
) -> None:
    """Draw the fee of the tariff in FILE against the length of the stay, as the first stay of its account."""
    if out.suffix not in drawing.FORMATS:
        raise click.BadParameter(f"--out needs a name that ends in {' or '.join(drawing.FORMATS)}")
    if len(entries) > drawing.ENTRIES_MAX:
        raise click.BadParameter(f"--entry can be given {drawing.ENTRIES_MAX} times; more lines cannot be told apart")
    loaded = load_file(file)
    entries_s = [option_instant_s(loaded, "--entry", text) for text in entries]
    parker = Parker(vehicle_class, tags)
    try:
        curves = drawing.curves_of(loaded, entries_s, hours=hours, parker=parker)
        drawing.draw(loaded, curves, hours=hours, parker=parker, out=out)
    except TariffError as error:
        raise PictureNotDrawn(f"a stay cannot be priced: {error.code}: {error.message}") from None
    except OSError as error:
        raise PictureNotDrawn(f"{out}: {error.strerror or error}") from None


@click.command(name="import-apds")
@click.argument("file", type=_FILE)
@click.option(
    "--assume",
    "assumed",
    multiple=True,
    metavar="NAME=VALUE",
    help=f"A fact that APDS does not hold: {', '.join(FACTS)}.",
)
@click.option("--out", default=None, type=_FILE, help=f"{_OUT} A name ending in .json gives JSON.")
def import_apds(*, file: Path, assumed: tuple[str, ...], out: Path | None) -> None:
    """Make a tariff of the APDS 4 rates in FILE; says every assumption and every loss on the standard error."""
    facts = facts_of(assumed)
    imported = import_document(read_document(_content(file)), facts)
    _say([*imported.assumptions, *imported.losses])
    fields = _in_reading_order(json.loads(imported.tariff.canonical_json))
    if out is not None and out.suffix == ".json":
        _write(out, to_json(fields) + "\n")
    else:
        _write(out, yaml.dump(fields, Dumper=_TariffDumper, allow_unicode=True, sort_keys=False, width=120))


@click.command(name="export-apds")
@click.argument("file", type=_FILE)
@click.option("--out", default=None, type=_FILE, help=_OUT)
@click.option("--strict", is_flag=True, help="Exit with 1 when the standard part cannot hold everything.")
def export_apds(*, file: Path, out: Path | None, strict: bool) -> None:
    """Write the tariff in FILE as APDS 4; what the standard cannot hold is said and stands in an extension."""
    exported = export_tariff(load_file(file))
    _write(out, to_json(exported.document) + "\n")
    _say(exported.losses)
    if strict and exported.losses:
        raise SystemExit(EXIT_LOSSES)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise ExchangeFileUnusable(f"{file}: {error.strerror}") from None


def _write(out: Path | None, text: str) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExchangeFileUnusable(f"{out}: {error.strerror}") from None


def _in_reading_order(value: object) -> object:
    """Fields in the order in which tariffs are written and read; unknown ones last."""
    match value:
        case dict():
            names = sorted(value, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
            return {name: _in_reading_order(value[name]) for name in names}
        case list():
            return [_in_reading_order(item) for item in value]
        case _:
            return value


def _say(lines: Iterable[object]) -> None:
    for line in lines:
        click.echo(str(line), err=True)


COMMANDS: Final = (plot, import_apds, export_apds)
