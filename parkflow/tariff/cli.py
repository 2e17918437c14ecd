"""`parkflow tariff`: check a tariff, price one stay with its breakdown, run a case file."""

import json
from pathlib import Path
from typing import Final

import click

from parkflow.core import Fee, Tariff, TariffError
from parkflow.kit.errors import ParkflowError
from parkflow.tariff.cases import CaseResult, read_cases, run_cases
from parkflow.tariff.exchange_commands import COMMANDS
from parkflow.tariff.tariff_file import load_file, option_instant_s

EXIT_CHECK_FAILED: Final = 1

_FILE: Final = click.Path(path_type=Path)


class StayNotPriced(ParkflowError):
    """The stay cannot be priced by this tariff."""

    code = "stay_not_priced"
    status = 422


@click.group(name="tariff")
def tariff() -> None:
    """Check tariffs, price stays, run case files."""


for command in COMMANDS:
    tariff.add_command(command)


@tariff.command()
@click.argument("file", type=_FILE)
@click.option("--strict", is_flag=True, help="Exit code 1 when there is a warning.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(file: Path, strict: bool, as_json: bool) -> None:
    """Check FILE and say what it is; a broken tariff is refused with its line and field.

    A warning names what is valid and may still not be meant, such as hours that no band charges.
    """
    loaded = load_file(file)
    if as_json:
        click.echo(json.dumps(_description(loaded), ensure_ascii=False))
    else:
        click.echo(f"{loaded.id}: {loaded.currency}, {loaded.timezone}, tzdata {loaded.tzdata_version}")
        click.echo(f"sha256 {loaded.sha256}")
        for warning in loaded.warnings:
            click.echo(f"warning line {warning.line}, {warning.path}: {warning.message} ({warning.code})")
    if strict and loaded.warnings:
        raise SystemExit(EXIT_CHECK_FAILED)


@tariff.command()
@click.argument("file", type=_FILE)
@click.option("--entry", required=True, metavar="ISO", help="Entry, local (2017-10-20T08:00) or with offset.")
@click.option("--exit", "exit_", required=True, metavar="ISO", help="Exit, local or with offset.")
@click.option("--class", "vehicle_class", default=None, help="Vehicle class, such as car or large.")
@click.option("--tag", "tags", multiple=True, help="A fact that plans may ask for, such as lost; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the canonical record of the fee.")
def price(
    *, file: Path, entry: str, exit_: str, vehicle_class: str | None, tags: tuple[str, ...], as_json: bool
) -> None:
    """Price one stay by the tariff in FILE, as the first one of its account, and show how the fee comes about."""
    loaded = load_file(file)
    entry_s, exit_s = option_instant_s(loaded, "--entry", entry), option_instant_s(loaded, "--exit", exit_)
    try:
        fee = loaded.settle(entry_s=entry_s, exit_s=exit_s, vehicle_class=vehicle_class, tags=tags)
    except TariffError as error:
        raise StayNotPriced(f"{error.code}: {error.message}") from None
    click.echo(fee.to_json() if as_json else _breakdown(loaded, fee))


@tariff.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every failing case.")
def cases(file: Path, as_json: bool) -> None:
    """Run the case FILE: prints failing ids, then `passed N failed M`; exit code 1 when one fails."""
    results = run_cases(read_cases(file))
    failed = [result for result in results if not result.passed]
    passed_count = len(results) - len(failed)
    if as_json:
        report = {"passed": passed_count, "failed": len(failed), "failures": [_failure(result) for result in failed]}
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        for result in failed:
            click.echo(
                f"{result.case_id}: expected {result.expected_minor}, {result.reason or f'got {result.fee_minor}'}"
            )
        click.echo(f"passed {passed_count} failed {len(failed)}")
    if failed:
        raise SystemExit(EXIT_CHECK_FAILED)


def _description(loaded: Tariff) -> dict[str, object]:
    return {
        "id": loaded.id,
        "currency": loaded.currency,
        "timezone": loaded.timezone,
        "tzdata_version": loaded.tzdata_version,
        "sha256": loaded.sha256,
        "valid_from_s": loaded.valid_from_s,
        "valid_to_s": loaded.valid_to_s,
        "version_at": loaded.version_at,
        "needs_history": loaded.needs_history,
        "warnings": [
            {"code": found.code, "path": found.path, "line": found.line, "message": found.message}
            for found in loaded.warnings
        ],
    }


def _failure(result: CaseResult) -> dict[str, str | int | None]:
    return {
        "id": result.case_id,
        "expected_minor": result.expected_minor,
        "fee_minor": result.fee_minor,
        "reason": result.reason,
    }


def _breakdown(loaded: Tariff, fee: Fee) -> str:
    rows = [f"{_amount(loaded, fee.fee_minor)} {fee.currency} (plan {fee.plan})"]
    for line in fee.lines:
        window = f"{loaded.local_text(line.from_s)} – {loaded.local_text(line.to_s)}"
        units = f"{line.units} units" if line.units else ""
        rows.append(f"  {window}  {line.band:<12} {units:>12} {_amount(loaded, line.amount_minor):>12}")
    return "\n".join(rows)


def _amount(loaded: Tariff, amount_minor: int) -> str:
    """A decimal with the digits that the tariff's own minor unit has."""
    whole, part = divmod(abs(amount_minor), 10**loaded.minor_exponent)
    decimals = f".{part:0{loaded.minor_exponent}}" if loaded.minor_exponent else ""
    return f"{'-' if amount_minor < 0 else ''}{whole}{decimals}"
