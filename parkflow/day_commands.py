"""Commands that run the day: the worker, and by hand the cut-off, the reconciliation and the invariants."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import click
import uvloop

from parkflow.cutoff import service as cutoff
from parkflow.invariants import checks
from parkflow.jobs.lease import ALL_BUCKETS
from parkflow.kit.clock import clock_from_environment
from parkflow.kit.ids import from_text
from parkflow.operator import service as operators
from parkflow.reconciliation import service as reconciliation
from parkflow.reconciliation.service import Report
from parkflow.servers import embedded_servers
from parkflow.services import Services, open_services
from parkflow.serving import prepare_database
from parkflow.settings import load_settings
from parkflow.worker import run_until_signal

T = TypeVar("T")
_EXIT_CHECK_FAILED: Final = 1
_DATE: Final = click.DateTime(formats=["%Y-%m-%d"])
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command()
@click.option(
    "--buckets-max",
    type=click.IntRange(1, len(ALL_BUCKETS)),
    default=len(ALL_BUCKETS),
    show_default=True,
    help="Hold at most so many buckets, so that several workers share them.",
)
def worker(buckets_max: int) -> None:
    """Run the pipelines and the schedule until SIGTERM.

    Any number of workers may run; each works on the buckets that it has leased, and takes over those of one that died.
    """
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT)
    with_services("parkflow worker", lambda services: run_until_signal(services, buckets_max=buckets_max))


@click.command()
@click.option("--operator", "operator_text", required=True, help="The operator's id (op_…).")
@click.option("--date", "day", type=_DATE, required=True, help="The business day, such as 2017-10-20.")
@click.option("--json", "as_json", is_flag=True, help="Print the day's statement as one line of canonical JSON.")
def close_day(operator_text: str, day: datetime, as_json: bool) -> None:
    """Close one business day; again gives what was stored.

    Arrears are counted, the totals are hashed, the next day opens.
    """
    operator_id = from_text(operators.ID_PREFIX, operator_text)
    closed = with_services(
        "parkflow cutoff",
        lambda services: cutoff.close_day(services, operator_id=operator_id, day=day.date(), now=services.clock.now()),
    )
    if as_json:
        click.echo(closed.statement.decode())
    else:
        click.echo(f"{closed.day} is closed, sha256 {closed.sha256.hex()}")


@click.command()
@click.option("--channel", required=True, help="The channel's name.")
@click.option("--date", "day", type=_DATE, required=True, help="The bill's day in the channel's time zone.")
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A bill that was fetched before, in the channel's own form; left out, it is fetched.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one line of JSON.")
def reconcile(channel: str, day: datetime, path: Path | None, as_json: bool) -> None:
    """Compare our book with the channel's bill of a day; exit code 1 when a line breaks.

    What the bill says of orders that we do not know the end of is settled by it.
    """

    content = None if path is None else path.read_bytes()

    async def compare(services: Services) -> Report:
        bill = None if content is None else services.channels[channel].read_bill(day.date(), content)
        return await reconciliation.run(services, channel=channel, day=day.date(), now=services.clock.now(), bill=bill)

    report = with_services("parkflow reconcile", compare)
    if as_json:
        click.echo(json.dumps(asdict(report), default=str))
    else:
        click.echo(
            f"{report.channel} {report.day}: {report.rows} rows, {report.matched} matched, {report.settled} settled"
        )
        for found in report.breaks:
            ours, theirs = ("-" if minor is None else minor for minor in (found.ours_minor, found.theirs_minor))
            click.echo(f"{found.break_class}: {found.key.kind} {found.key.number}, ours {ours}, theirs {theirs}")
    if report.breaks:
        raise SystemExit(_EXIT_CHECK_FAILED)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def invariants(as_json: bool) -> None:
    """Check everything that must never be false; exit code 1 on a violation."""
    findings = with_services(
        "parkflow invariants", lambda services: checks.run(services.pool, now=services.clock.now())
    )
    violations = checks.violated(findings)
    if as_json:
        listed = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"checks": len(findings), "violations": violations, "findings": listed}))
    else:
        for finding in findings:
            click.echo(f"{finding.invariant:5} {finding.violations:6}  {finding.rule}")
        click.echo(f"{len(findings)} checks, {violations} violations")
    if violations:
        raise SystemExit(_EXIT_CHECK_FAILED)


def with_services(application: str, work: Callable[[Services], Awaitable[T]]) -> T:
    """Run `work` with the services that the environment names, on a schema that is up to date.

    Raises SettingsRefused, DatabaseUnavailable, MigrationsMissing.
    """
    settings = load_settings()

    async def run(dsn: str, redis_url: str | None) -> T:
        await prepare_database(settings, servers)
        async with open_services(
            settings, clock=clock_from_environment(), database_dsn=dsn, redis_url=redis_url, application=application
        ) as services:
            return await work(services)

    with embedded_servers(settings) as servers, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(servers.database_dsn, servers.redis_url))
