"""`parkflow tariff diff` and `tariff shadow`: who would pay more and who less under another version."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from parkflow.core import Tariff
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import from_text
from parkflow.tariff import shadow_report
from parkflow.tariff.cli import tariff
from parkflow.tariff.shadow import Comparison, PastStay, Pricer, local_hour_of
from parkflow.tariff.stays_file import BadLine, StaysFileInvalid, read_stays
from parkflow.tariff.tariff_file import load_file

__all__ = ["tariff"]

_FILE: Final = click.Path(path_type=Path)
_DATE: Final = click.DateTime(formats=["%Y-%m-%d"])
_STAYS_AT_ONCE: Final = 10_000
_BAD_LINES_SHOWN: Final = 10
_EXIT_CHECK_FAILED: Final = 1
_TOP: Final = click.option(
    "--top",
    type=click.IntRange(0, 1_000),
    default=20,
    show_default=True,
    help="How many of the largest changes to name.",
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class TariffsDoNotCompare(ParkflowError):
    """Two tariffs are compared in one currency and one time zone."""

    code = "tariffs_do_not_compare"
    status = 422


@tariff.command()
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@click.option("--stays", "stays_file", type=_FILE, required=True, help="Past stays: .csv, .csv.gz or .parquet.")
@_TOP
@_JSON
def diff(*, before: Path, after: Path, stays_file: Path, top: int, as_json: bool) -> None:
    """Price the stays of a file by the tariffs BEFORE and AFTER, and show who pays more and who less.

    Columns: entry, exit (ISO 8601 with offset, or seconds since 1970), and if there are such vehicle_class, tags
    (parted by `;`), account (whose stays count together), id. Lines that are no stays are named and counted.
    """
    old, new = load_file(before), load_file(after)
    if (old.currency, old.timezone) != (new.currency, new.timezone):
        raise TariffsDoNotCompare(
            f"{before} is in {old.currency} and {old.timezone}, {after} in {new.currency} and {new.timezone}"
        )
    comparison, bad = _compared(old, new, stays_file, top)
    if comparison.stays == 0:
        first = f"; line {bad[0].line} {bad[0].reason}" if bad else ""
        raise StaysFileInvalid(f"{stays_file}: has no stays{first}")
    if as_json:
        lines = {"bad_lines": len(bad), "bad_lines_first": [_bad_text(line) for line in bad[:_BAD_LINES_SHOWN]]}
        _echo_json(comparison, {"before": _named(old), "after": _named(new), **lines})
        return
    for line in shadow_report.lines(comparison, shadow_report.Money(new.currency, new.minor_exponent)):
        click.echo(line)
    if bad:
        click.echo(f"{len(bad):,} lines are no stays and were left out")
        for broken in bad[:_BAD_LINES_SHOWN]:
            click.echo(f"  {_bad_text(broken)}")


Whose = tuple[int, int, date, date]
"""Operator, lot, and the first and the last local day on which the stays began."""


def _with_whose(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which stays, as one value `whose`."""

    @click.option("--operator", "operator_text", required=True, help="The operator's id (op_…).")
    @click.option("--lot", "lot_text", required=True, help="The lot's id (lot_…).")
    @click.option("--from", "first", type=_DATE, required=True, help="Stays that began on this local day or later.")
    @click.option("--to", "last", type=_DATE, required=True, help="And on this day or before.")
    @wraps(command)
    def read(*, operator_text: str, lot_text: str, first: datetime, last: datetime, **others: Any) -> None:
        # Here, so that the commands about files start without the rooms of the database.
        from parkflow.lot import service as lot_service
        from parkflow.operator import service as operator_service

        operator_id = from_text(operator_service.ID_PREFIX, operator_text)
        lot_id = from_text(lot_service.ID_PREFIX, lot_text)
        command(whose=(operator_id, lot_id, first.date(), last.date()), **others)

    return read


@tariff.command()
@_with_whose
@click.option("--tariff", "file", type=_FILE, required=True, help="The version that may come.")
@click.option("--check", is_flag=True, help="Only say how many stays it cannot price; exit code 1 when there are such.")
@_TOP
@_JSON
def shadow(*, whose: Whose, file: Path, check: bool, top: int, as_json: bool) -> None:
    """Price a lot's past stays by the tariff in FILE beside what was really charged; nothing is written."""
    from parkflow.day_commands import with_services
    from parkflow.views import shadow as shadow_view

    new, span = load_file(file), shadow_view.Span(*whose)
    with _counting("stays priced") as count:
        done = with_services(
            "parkflow tariff shadow",
            lambda services: shadow_view.run(services.pool, span, new, top=top, on_page=count),
        )
    comparison = done.comparison
    if as_json:
        _echo_json(comparison, {"before": "charged", "after": _named(new)})
    elif not check:
        for line in shadow_report.lines(comparison, shadow_report.Money(new.currency, new.minor_exponent)):
            click.echo(line)
    if not as_json:
        click.echo(shadow_report.dry_check(comparison))
    if check and comparison.unpriced_after.counts:
        raise SystemExit(_EXIT_CHECK_FAILED)


def _compared(old: Tariff, new: Tariff, stays_file: Path, top: int) -> tuple[Comparison, Sequence[BadLine]]:
    bad: list[BadLine] = []
    pricers, comparison = (Pricer(old), Pricer(new)), Comparison(local_hour_of(new), top=top)
    with _counting("stays priced") as count:
        stays = _good(read_stays(stays_file), bad)
        if old.needs_history or new.needs_history:
            # Account after account would do; in order of exit over all, a file needs no sorting of its own.
            stays = iter(sorted(stays, key=lambda stay: stay.exit_s))
        while chunk := list(islice(stays, _STAYS_AT_ONCE)):
            comparison.add(chunk, pricers[0].prices(chunk), pricers[1].prices(chunk))
            count(comparison.stays)
    return comparison, bad


def _good(found: Iterator[PastStay | BadLine], bad: list[BadLine]) -> Iterator[PastStay]:
    """The stays; what is none is put aside."""
    for one in found:
        if isinstance(one, BadLine):
            bad.append(one)
        else:
            yield one


def _echo_json(comparison: Comparison, more: dict[str, Any]) -> None:
    click.echo(json.dumps({**comparison.to_json(), **more}, ensure_ascii=False))


def _named(loaded: Tariff) -> dict[str, str | int]:
    return {
        "tariff_id": loaded.id,
        "sha256": loaded.sha256,
        "currency": loaded.currency,
        "minor_exponent": loaded.minor_exponent,
    }


def _bad_text(bad: BadLine) -> str:
    return f"line {bad.line} {bad.reason}"


@contextmanager
def _counting(words: str) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how many are done; says nothing elsewhere."""
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} {task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with progress:
        task = progress.add_task(words, total=None)
        yield lambda done: progress.update(task, completed=done)
