"""`parkflow serve`: the HTTP service as a process, from its socket to its clean end."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Final

import asyncpg
import click
import uvicorn
import uvloop

from parkflow.api.connection import bounded_protocol
from parkflow.app import create_app
from parkflow.db import migrate
from parkflow.db.pool import connected
from parkflow.kit.clock import clock_from_environment
from parkflow.kit.collector import settle_collector
from parkflow.kit.errors import ParkflowError
from parkflow.servers import Servers, embedded_servers
from parkflow.services import open_services
from parkflow.settings import Settings, load_settings

# Requests in flight are given this long after SIGTERM.
STOP_SECONDS: Final = 10
_BACKLOG: Final = 2048
# How much the kernel keeps of a request that we do not read yet; it grows to megabytes for each connection by itself.
_UNREAD_BYTES_MAX: Final = 64 * 1024
# A peer that takes nothing of its answer for so long is gone, and its memory is free again.
_UNTAKEN_MILLISECONDS_MAX: Final = 30_000
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class PortTaken(ParkflowError):
    """The address cannot be listened on; choose another with --host and --port."""

    code = "port_taken"
    status = 500


@click.command("serve")
@click.option("--host", help="Address to listen on; default PARKFLOW_API_HOST or 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for any; default PARKFLOW_API_PORT or 8000.")
def serve_command(host: str | None, port: int | None) -> None:
    """Run the HTTP service until SIGTERM or Ctrl-C."""
    settings = load_settings()
    changes = {"api_host": host or settings.api_host, "api_port": settings.api_port if port is None else port}
    serve(settings.model_copy(update=changes), announce=lambda url: click.echo(f"parkflow serves {url}"))


def serve(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is told the address once requests are answered.

    Port 0 takes any free port. An embedded database is migrated; an external one is only checked, because several
    processes of several versions may use it. Raises PortTaken, DatabaseUnavailable, MigrationsMissing.
    """
    with (
        _listener(settings.api_host, settings.api_port) as listener,
        embedded_servers(settings) as servers,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(settings, servers, listener, announce))


async def _serve(
    settings: Settings, servers: Servers, listener: socket.socket, announce: Callable[[str], None]
) -> None:
    await prepare_database(settings, servers)
    async with open_services(
        settings,
        clock=clock_from_environment(),
        database_dsn=servers.database_dsn,
        redis_url=servers.redis_url,
        application="parkflow serve",
    ) as services:
        config = uvicorn.Config(
            create_app(services),
            http=bounded_protocol(head_seconds_max=settings.head_seconds_max),
            ws="none",
            lifespan="on",
            access_log=False,
            log_level=logging.WARNING,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        settle_collector()
        server = _Server(config, announce=lambda: announce(_address(listener)))
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends with exit code 0 after SIGTERM, and says when it has begun to answer."""

    def __init__(self, config: uvicorn.Config, *, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The base class raises the signal again at the end, which would skip the closing of pool and servers.
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    # Bound before anything else is started, so that a taken port is told at once.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bound_connections(listener)
        try:
            listener.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PortTaken(f"cannot listen on {host}:{port}: {reason}; choose another port with --port") from error
        yield listener


def _bound_connections(listener: socket.socket) -> None:
    """What every connection that is accepted here has from its listener."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNREAD_BYTES_MAX)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNTAKEN_MILLISECONDS_MAX)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def prepare_database(settings: Settings, servers: Servers) -> None:
    """Migrate an embedded database, check an external one. Raises DatabaseUnavailable, MigrationsMissing."""
    if settings.database_url is None:
        await migrate.migrate(servers.database_dsn)
    else:
        await _check_migrations(servers.database_dsn)


async def _check_migrations(dsn: str) -> None:
    async with connected(dsn) as conn:
        try:
            missing = await migrate.missing(conn)
        except asyncpg.UndefinedTableError as error:
            raise migrate.MigrationsMissing from error
    if missing:
        raise migrate.MigrationsMissing(f"the database lacks {len(missing)} migration(s): run `parkflow migrate` first")
