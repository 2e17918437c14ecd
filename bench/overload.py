"""Overload: gates that offer three times what the service takes, for half a minute, and how soon all is as before.

Gates here read no Retry-After: each refused batch is offered again as soon as that makes three times the capacity. What
counts is how much is still taken in meanwhile, and how long after the last of it a batch takes no longer than before.
"""

import asyncio
import itertools
import multiprocessing
import os
import statistics
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import click

from bench.load import meters
from bench.load.cards import make_cards
from bench.load.founding import found_town
from bench.load.home import Home
from bench.load.journals import Passages, Upload, make_journals, passages
from bench.load.sender import Sender, Tally, closed_loop
from bench.load.service import running, temporary_home
from bench.load.town import Town, TownSize
from bench.registry import Figures
from parkflow.db.pool import connected
from parkflow.vault import Vault

_SEED: Final = 20_171_020
_SCANS: Final = 500
_STEP_MS: Final = 40
# A batch that takes at most so many times its usual time is served as usual.
_USUAL_FACTOR: Final = 2
_PROBES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Course:
    """How many gates offer how much, and for how long."""

    size: TownSize
    batches_per_gate: int
    usual_in_flight: int
    usual_seconds: float
    overload_seconds: float
    overload_factor: float


FULL: Final = Course(
    size=TownSize(operators=4, lots=100, cards_per_operator=13_000),
    batches_per_gate=9,
    usual_in_flight=16,
    usual_seconds=10,
    overload_seconds=30,
    overload_factor=3,
)


class _Impatient(Sender):
    """Gates that do not wait as they are asked to."""

    pause_seconds = 0.0

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(self.pause_seconds)


def figures(course: Course = FULL) -> Figures:
    """`overload_goodput_ratio`: taken in under overload by taken in before; `overload_recovery_s`: until as before."""
    context = multiprocessing.get_context("spawn")
    with temporary_home() as home, ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        town, epoch = asyncio.run(_found(home, course)), int(time.time())
        make_cards(home, town, seed=_SEED, now=datetime.now(UTC), pool=pool)
        plan = Passages(course.batches_per_gate, _SCANS, _STEP_MS, time.time_ns() // 1_000_000)
        journals = make_journals(passages(town, range(course.size.lots), epoch, plan), home.outbox, pool)
        waiting = deque(upload for batch in zip(*journals, strict=True) for upload in batch)
        return asyncio.run(_measure(home, course, waiting, epoch))


async def _found(home: Home, course: Course) -> Town:
    return await found_town(home.dsn, Vault(home.master_key), course.size, now=datetime.now(UTC))


async def _measure(home: Home, course: Course, waiting: deque[Upload], epoch: int) -> Figures:
    environment = {"PARKFLOW_DATA_DIR": str(home.data_dir)}
    async with running(home.data_dir, environment, with_worker=False) as service:
        sender = _Impatient(service.url, seed=_SEED)
        try:
            usual, begun, ended = await closed_loop(
                sender, waiting, in_flight=course.usual_in_flight, seconds=course.usual_seconds
            )
            capacity = usual.per_second(begun, ended)
            # One gate has one batch under way, so all gates at once are all that can be offered.
            gates = 2 * course.size.lots
            sender.pause_seconds = gates * _SCANS / (course.overload_factor * capacity)
            before = await meters.read(home, service)
            flood, begun, ended = await closed_loop(sender, waiting, in_flight=gates, seconds=course.overload_seconds)
            meters.between(before, await meters.read(home, service)).show("overload", scans=flood.scans)
            recovered = await _recovered(sender, waiting, usual, ended)
        finally:
            await sender.aclose()
    await _check_stored(home, epoch, [usual, flood, recovered])
    goodput = flood.per_second(begun, ended)
    offered = (flood.scans + _SCANS * flood.refused.total()) / (ended - begun)
    last = max(sample.acknowledged for sample in recovered.samples)
    click.echo(
        f"capacity {capacity:,.0f} scans/s; for {ended - begun:.0f} s {gates} gates offered {offered:,.0f}"
        f" ({offered / capacity:.1f} times), taken {goodput:,.0f}, refused {dict(flood.refused)}; as before after"
        f" {last - ended:.1f} s"
    )
    return {"overload_goodput_ratio": goodput / capacity, "overload_recovery_s": last - ended}


async def _recovered(sender: Sender, waiting: deque[Upload], usual: Tally, ended: float) -> Tally:
    """One batch after the other until one is as quick as usual; the last sample is that one."""
    tally = Tally()
    quick = _USUAL_FACTOR * statistics.median(sample.seconds for sample in usual.samples)
    for upload in itertools.islice(iter(waiting), _PROBES_MAX):
        await sender.send(upload, tally)
        if tally.samples[-1].seconds <= quick:
            return tally
    raise click.ClickException(f"not as before {time.perf_counter() - ended:.0f} s after the overload")


async def _check_stored(home: Home, epoch: int, tallies: list[Tally]) -> None:
    """What was acknowledged is there, once."""
    async with connected(home.dsn, application="bench") as conn:
        kept = await conn.fetchval("select count(*) from scan where epoch = $1", epoch)
    acknowledged = sum(tally.scans for tally in tallies)
    if kept != acknowledged:
        raise click.ClickException(f"acknowledged {acknowledged:,} scans, kept {kept:,}")


if __name__ == "__main__":
    click.echo(figures())
