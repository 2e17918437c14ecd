"""Commands that run the day: the worker, and by hand the cut-off, the reconciliation and the invariants."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import click
import uvloop

from parkflow.jobs.lease import ALL_BUCKETS
from parkflow.kit.clock import clock_from_environment
from parkflow.servers import embedded_servers
from parkflow.services import Services, open_services
from parkflow.serving import prepare_database
from parkflow.settings import load_settings
from parkflow.worker import run_until_signal

T = TypeVar("T")
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
