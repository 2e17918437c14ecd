"""`parkflow demo`: the command line of the demo."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from gate_sim.api import ApiRefusal
from gate_sim.town import RealStay, TableInvalid, demo_day, lots_of, read_stays
from gate_sim.uplink import UplinkRefused
from parkflow import core
from parkflow.demo import run as demo_run
from parkflow.demo.plan import Plan, make_plan
from parkflow.demo.summary import progress_bar, show
from parkflow.kit.errors import ParkflowError
from parkflow.settings import load_settings

_EXIT_CHECK_FAILED: Final = 1
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class _Options:
    stays: int | None
    seed: int
    as_json: bool
    serve: bool
    port: int
    data_dir: Path | None
    day: Path | None
    tariff: Path | None
    lots: tuple[str, ...]


class DemoRefused(ParkflowError):
    """The demo cannot be run with this input."""

    code = "demo_refused"
    status = 422


@click.command()
@click.option("--stays", type=click.IntRange(min=1), help="So many stays: the first of the day, or the day repeated.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides everything that is left to chance.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
@click.option("--serve", is_flag=True, help="Leave service and worker running at the end and print their addresses.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the service; 0 takes a free one.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Kept; left out, a temporary one.")
@click.option("--day", type=_FILE, help="A CSV table of stays instead of the real day.")
@click.option("--tariff", type=_FILE, help="A tariff (PTL/1) instead of the one of 2017.")
@click.option("--lot", "lots", multiple=True, help="Only this lot; may be given several times.")
def demo(**chosen: Any) -> None:
    """Run a real day of parking through the whole chain and print what happened.

    City of Charlottesville, Friday 2017-10-20: 407 stays in 14 lots, with an offline gate, a batch sent twice, a
    replayed code, a late scan, drivers in arrears and three card returns, on a virtual clock. Exit code 1 if the books
    do not agree in the end.
    """
    options, console = _Options(**chosen), Console()
    try:
        plan = make_plan(_stays_of(options), seed=options.seed, stays=options.stays)
        told = _tell(options, plan, console)
    except (TableInvalid, ApiRefusal, UplinkRefused) as refusal:
        raise DemoRefused(str(refusal)) from refusal
    except (KeyboardInterrupt, asyncio.CancelledError):
        return
    _report(told, console, as_json=options.as_json)
    if told.figures.wrong():
        sys.exit(_EXIT_CHECK_FAILED)


def _tell(options: _Options, plan: Plan, console: Console) -> demo_run.Told:
    source = _tariff_of(options)
    with demo_run.data_directory(options.data_dir) as folder, progress_bar() as bar:

        async def linger(told: demo_run.Told) -> None:
            _report(told, console, as_json=options.as_json)
            console.print(f"service {told.service_url}  channel {told.channel_url}  data {folder}")
            console.print("The virtual clock runs on at the pace of a real one. Ctrl-C ends it all.")
            await asyncio.Event().wait()

        settings = load_settings().model_copy(update={"data_dir": folder})
        wishes = demo_run.Wishes(plan, bar, port=options.port, tariff=source)
        return demo_run.run(wishes, settings, linger=linger if options.serve else None)


def _tariff_of(options: _Options) -> str | None:
    if options.tariff is None:
        return None
    try:
        source = options.tariff.read_text(encoding="utf-8")
        core.Tariff.load(source)
    except (UnicodeDecodeError, core.TariffError) as error:
        raise DemoRefused(f"{options.tariff}: {error}") from error
    return source


def _stays_of(options: _Options) -> list[RealStay]:
    stays = read_stays(options.day) if options.day is not None else demo_day()
    known = lots_of(stays)
    for lot in options.lots:
        if lot not in known:
            raise DemoRefused(f"there is no lot {lot!r}; the day has {', '.join(known)}")
    return [stay for stay in stays if not options.lots or stay.lot in options.lots]


def _report(told: demo_run.Told, console: Console, *, as_json: bool) -> None:
    show(told, console)
    if as_json:
        click.echo(json.dumps(told.figures.as_json()))
