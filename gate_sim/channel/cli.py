"""`gate-sim channel`: run the simulated payment channel as a process of its own."""

import asyncio
import signal
import sqlite3
from pathlib import Path

import click

from gate_sim.channel.book import Book
from gate_sim.channel.clock import clock_named
from gate_sim.channel.desk import Desk
from gate_sim.channel.server import serving


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Decides every answer, fault and notification.")
@click.option("--book", "book_path", type=click.Path(path_type=Path), required=True, help="The channel's SQLite file.")
@click.option("--port", type=int, default=0, show_default=True, help="On the loopback; 0 takes a free one.")
@click.option("--clock", "clock_name", default="system", show_default=True, help="`system`, or `file:/path`.")
@click.option("--notify-url", help="Where notifications go; without it none are sent.")
@click.option("--secret", required=True, envvar="GATE_SIM_CHANNEL_SECRET", help="Hex; shared with the service.")
def channel(*, seed: int, book_path: Path, port: int, clock_name: str, notify_url: str | None, secret: str) -> None:
    """Run a payment channel: agreements, deducts, queries, refunds, bills, with faults from a seed."""
    try:
        clock, key = clock_named(clock_name), bytes.fromhex(secret)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
    try:
        book = Book(book_path)
    except sqlite3.Error as error:
        raise click.UsageError(f"the book {book_path} cannot be opened: {error}") from error
    try:
        asyncio.run(_serve(Desk(book, clock, seed=seed, secret=key), port=port, notify_url=notify_url))
    except OSError as error:
        raise click.UsageError(f"port {port} of the loopback cannot be used: {error.strerror or error}") from error
    finally:
        book.close()


async def _serve(desk: Desk, *, port: int, notify_url: str | None) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serving(desk, port=port, notify_url=notify_url) as taken:
        click.echo(f"channel listens on http://127.0.0.1:{taken}")
        await stop.wait()
