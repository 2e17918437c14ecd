"""The `parkflow` command: finds the commands of all domains, turns refusals into one line and exit code 2."""

import asyncio
import importlib
import sys
from collections.abc import Sequence
from typing import Final

import click

from parkflow.db.migrate import migrate as apply_migrations
from parkflow.db.pool import without_password
from parkflow.kit.errors import ParkflowError
from parkflow.servers import embedded_servers
from parkflow.servers.client import running_servers
from parkflow.settings import load_settings

EXIT_DONE: Final = 0
EXIT_CHECK_FAILED: Final = 1
EXIT_WRONG_USE: Final = 2

# Commands of the domains: name -> (module, attribute, one line for the help). Imported only when used, so that a
# command starts without loading the rest.
COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "channel": ("parkflow.channel_commands", "channel", "Register payment channels."),
    "code": ("parkflow.code_commands", "code", "Issue, verify and explain codes by hand."),
    "cutoff": ("parkflow.day_commands", "close_day", "Close one business day."),
    "invariants": ("parkflow.day_commands", "invariants", "Check everything that must never be false."),
    "keys": ("parkflow.keys_commands", "keys", "Make, check, list and rotate keys."),
    "operator": ("parkflow.operator_commands", "operator", "Make operators."),
    "receipt": ("parkflow.receipt_commands", "receipt", "Recompute, show and export fee receipts."),
    "reconcile": ("parkflow.day_commands", "reconcile", "Compare our book with a channel's bill."),
    "demo": ("parkflow.demo.cli", "demo", "Run a real day of parking through the whole chain."),
    "worker": ("parkflow.day_commands", "worker", "Run the pipelines and the schedule."),
    "tariff": ("parkflow.shadow_commands", "tariff", "Check and compare tariffs, price stays, run case files."),
    "serve": ("parkflow.serving", "serve_command", "Run the HTTP service."),
}


class LazyGroup(click.Group):
    """A group whose commands live in other modules and are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Like click's own, but without importing every command for its help line."""
        rows = [(name, line) for name, (_, _, line) in COMMANDS.items()]
        rows += [(name, command.get_short_help_str(limit=100)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="parkflow", prog_name="parkflow")
def parkflow() -> None:
    """Leave the car park by QR code, pay later.

    Settings are variables: PARKFLOW_DATA_DIR (default .parkflow), PARKFLOW_DATABASE_URL and PARKFLOW_REDIS_URL
    (default: embedded servers), PARKFLOW_API_HOST, PARKFLOW_API_PORT, PARKFLOW_MASTER_KEY and more.
    Exit codes: 0 done, 1 a check failed, 2 wrong use.
    """


@parkflow.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    with embedded_servers(load_settings()) as servers:
        applied = asyncio.run(apply_migrations(servers.database_dsn))
    for migration in applied:
        click.echo(f"applied {migration.version:04}_{migration.name}")
    click.echo(f"schema is up to date ({len(applied)} applied now)")


@parkflow.group()
def servers() -> None:
    """The embedded Postgres and Valkey of the data directory."""


@servers.command()
def status() -> None:
    """Show whether they run, and where; exit code 1 if they do not."""
    settings = load_settings()
    if settings.database_url is not None:
        click.echo(f"external database {without_password(settings.database_url)}; nothing is embedded")
        return
    running = running_servers(settings)
    if running is None:
        click.echo(f"nothing runs in {settings.data_dir}; the next command that needs the servers starts them")
        raise SystemExit(EXIT_CHECK_FAILED)
    click.echo(f"postgres {without_password(running.database_dsn)}")
    click.echo(f"valkey   {running.redis_url or 'does not run'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a check failed, 2 wrong use or refused (one line on standard error)."""
    try:
        parkflow.main(args=list(arguments) if arguments is not None else None, prog_name="parkflow")
    except ParkflowError as error:
        click.echo(f"parkflow: {error.message}", err=True)
        sys.exit(EXIT_WRONG_USE)


if __name__ == "__main__":
    main()
