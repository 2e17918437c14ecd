"""`parkflow tariff plot`: a tariff as a picture."""

from pathlib import Path
from typing import Final

import click

from parkflow.core import Tariff, TariffError
from parkflow.kit.errors import ParkflowError
from parkflow.tariff import plot as drawing
from parkflow.tariff.steps import Parker

_FILE: Final = click.Path(path_type=Path)


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
    loaded = _load(file)
    entries_s = [_entry_s(loaded, text) for text in entries]
    parker = Parker(vehicle_class, tags)
    try:
        curves = drawing.curves_of(loaded, entries_s, hours=hours, parker=parker)
        drawing.draw(loaded, curves, hours=hours, parker=parker, out=out)
    except TariffError as error:
        raise PictureNotDrawn(f"a stay cannot be priced: {error.code}: {error.message}") from None
    except OSError as error:
        raise PictureNotDrawn(f"{out}: {error.strerror or error}") from None


def _load(file: Path) -> Tariff:
    # Late, because that module registers these commands.
    from parkflow.tariff.cli import load_file

    return load_file(file)


def _entry_s(loaded: Tariff, text: str) -> int:
    entry_s = loaded.instant_s(text)
    if entry_s is None:
        raise click.BadParameter("--entry needs a time such as 2017-10-20T08:00 or 2017-10-20T08:00-04:00")
    return entry_s


COMMANDS: Final = (plot,)
