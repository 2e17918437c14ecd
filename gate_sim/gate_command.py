"""`gate-sim gate`: one gate as a real process, fed by lines; `gate-sim post` makes its folder from a kept town."""

import asyncio
import contextlib
import fcntl
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click

from gate_sim.agent import Agent, Surroundings
from gate_sim.channel.clock import clock_named
from gate_sim.gate import Gate
from gate_sim.http import Client
from gate_sim.journal import JournalFull
from gate_sim.posts import PostUnreadable, load_post, save_post
from gate_sim.save import TownUnreadable, read_posts
from gate_sim.seed import Seed
from gate_sim.uplink import Habits

_LINE_BYTES_MAX: Final = 65_536
_FULL_PAUSE_SECONDS: Final = 5
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--state", "folder", type=_FOLDER, required=True, help="Holds gate.json, and then the gate's files.")
@click.option("--url", required=True, help="The service, e.g. http://127.0.0.1:8000.")
@click.option("--clock", "clock_name", default="system", show_default=True, help="`system`, or `file:/path`.")
@click.option("--every", "interval_seconds", type=click.FloatRange(min=0.05), default=60.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Scatters when the gate tries again.")
def gate(*, folder: Path, url: str, clock_name: str, interval_seconds: float, seed: int) -> None:
    """Be a gate: lines on standard input are what happens at the lane, each is answered by a line of JSON.

    \b
    PF1:…             a code was held under the reader (or: code TEXT)
    plate TEXT        the plate reader saw a car
    ticket NUMBER     a paper ticket was given out or taken in
    lift NAME [CODE]  NAME raised the barrier by hand (for the driver who showed CODE)
    status            what the gate holds

    Meanwhile the gate uploads by the minute, waits at the service for bundles, and says on standard error what it
    does. It ends with its input, or on SIGTERM; killed in any other way it loses nothing.
    """
    try:
        now_ms = clock_named(clock_name).now_ms
        client = Client(url)
        with _alone(folder):
            opened = _opened(folder, now_ms)
            try:
                asyncio.run(_live(opened, client, now_ms, seed, interval_seconds))
            finally:
                opened.journal.close()
    except (PostUnreadable, ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error


@click.command()
@click.argument("town", type=_FOLDER)
@click.argument("lot")
@click.argument("direction", type=click.Choice(["entry", "exit"]))
@click.option("--state", "folder", type=click.Path(file_okay=False, path_type=Path), required=True)
def post(town: Path, lot: str, direction: str, folder: Path) -> None:
    """Make the folder of a gate that stands in a kept TOWN: `gate-sim gate --state FOLDER` is then this gate."""
    try:
        posts = dict(read_posts(town))
    except TownUnreadable as error:
        raise click.UsageError(str(error)) from error
    if (lot, direction) not in posts:
        raise click.UsageError(
            f"there is no lot {lot!r}; the town has {', '.join(sorted({name for name, _ in posts}))}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    save_post(folder, posts[lot, direction])
    click.echo(posts[lot, direction].gate)


def _opened(folder: Path, now_ms: Callable[[], int]) -> Gate:
    """The gate of the folder, as soon as its disk has room to begin."""
    habits = Habits(tries=1, elapsed_ms=now_ms)
    while True:
        try:
            opened = Gate(load_post(folder), folder, now_ms=now_ms(), habits=habits)
            break
        except JournalFull as error:
            _report(f"no room for the journal ({error}); the gate stays shut, please call staff")
            threading.Event().wait(_FULL_PAUSE_SECONDS)
    if opened.journal.set_aside is not None:
        _report(f"the journal was broken and is kept as {opened.journal.set_aside}")
    return opened


async def _live(opened: Gate, client: Client, now_ms: Callable[[], int], seed: int, interval_seconds: float) -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    threading.Thread(target=_read, args=(loop, lines), daemon=True).start()
    dice = Seed(seed).dice("gate", opened.post.gate)
    agent = Agent(opened, Surroundings(now_ms, client, click.echo, _report), dice, interval_seconds=interval_seconds)
    async with client:
        with contextlib.suppress(asyncio.CancelledError):
            await agent.run(lines)


def _read(loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[str | None]") -> None:
    """Pass on the lines of standard input, in a thread of its own: it may be a file, which no event loop can await."""
    # Unbuffered: a thread that waits inside a buffer holds its lock, and Python dies of that when it ends.
    with contextlib.suppress(RuntimeError), open(0, "rb", buffering=0, closefd=False) as lane:
        while line := lane.readline(_LINE_BYTES_MAX):
            loop.call_soon_threadsafe(lines.put_nowait, line.decode(errors="replace"))
        loop.call_soon_threadsafe(lines.put_nowait, None)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process per gate. Raises OSError when another one is at it."""
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OSError(f"{folder}: another process is this gate") from error
        yield


def _report(text: str) -> None:
    click.echo(text, err=True)
