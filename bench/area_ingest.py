"""Ingest: verified durable scans a second, their latency, a backlog of days beside live gates, rivals on one server.

Load, API, worker, Postgres and Valkey share the machine. Postgres runs as parkflow ships it, `synchronous_commit=on`.
A rate counts what was acknowledged, and the database is asked afterwards whether all of it is there.
"""

import asyncio
import itertools
import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import click

from bench import overload
from bench.apply_speed import measure_apply
from bench.load import meters, rivals
from bench.load.backlog import Drain, drain
from bench.load.cards import Cards, cards_path, make_cards
from bench.load.founding import found_town
from bench.load.home import Home
from bench.load.journals import Epoch, Passages, Upload, check_codes, make_journals, passages
from bench.load.sender import Sender, Tally, closed_loop, open_loop
from bench.load.service import Service, running, temporary_home
from bench.load.town import Town, TownSize
from bench.registry import Figures, area
from parkflow.db.pool import connected
from parkflow.vault import Vault

SEED: Final = 20_171_020


@dataclass(frozen=True, slots=True)
class Course:
    """How much of everything, and for how long."""

    size: TownSize
    # A gate's batches in the main part; with more there is enough for faster services.
    batches_per_gate: int
    batch_scans: int
    in_flight: int
    closed_seconds: float
    open_seconds: float
    # Open loop runs at this share of what the closed loop reached.
    open_share: float
    offline_lots: int
    offline_batches: int
    offline_batch_scans: int
    drain_seconds_max: float
    pgbench_seconds: int
    bare_batches: int
    with_worker: bool = True

    @property
    def main_scans(self) -> int:
        return 2 * self.size.lots * self.batches_per_gate * self.batch_scans

    @property
    def offline_scans(self) -> int:
        return 2 * self.offline_lots * self.offline_batches * self.offline_batch_scans


FULL: Final = Course(
    size=TownSize(operators=4, lots=100, cards_per_operator=26_000),
    batches_per_gate=10,
    batch_scans=500,
    in_flight=16,
    closed_seconds=12,
    open_seconds=60,
    open_share=0.9,
    offline_lots=50,
    offline_batches=5,
    offline_batch_scans=2_000,
    drain_seconds_max=90,
    pgbench_seconds=6,
    bare_batches=300,
)
# 100 gates, one passage every three seconds, three days.
OFFLINE_GATES: Final = 100
OFFLINE_HOURS: Final = 70
FULL_BACKLOG_SCANS: Final = 8_640_000
_HOUR_MS: Final = 3_600_000
# The passages of the main part lie in so much time.
_MAIN_MS: Final = 120_000


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers, the town in their database, and the processes that make things for it."""

    home: Home
    course: Course
    town: Town
    pool: ProcessPoolExecutor


@dataclass(frozen=True, slots=True)
class Journals:
    """What is sent, by gate: passages of the last minutes under `epoch`, those of the last days under the next one."""

    epoch: int
    main: Sequence[Sequence[Upload]]
    offline: Sequence[Sequence[Upload]]


@area("ingest")
def measure() -> Figures:
    """The whole course: pgbench, closed loop, a minute of open loop, the backlog, pgbench, bare inserts, overload."""
    return run(FULL) | overload.figures() | measure_apply()


def run(course: Course) -> Figures:
    """The figures of a course of any size."""
    context = multiprocessing.get_context("spawn")
    with temporary_home() as home, ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        bench = Bench(home, course, found(home, course.size, pool), pool)
        return asyncio.run(_figures(bench))


def found(home: Home, size: TownSize, pool: ProcessPoolExecutor) -> Town:
    """The town with its cards."""
    begun, now = time.perf_counter(), datetime.now(UTC)
    town = asyncio.run(found_town(home.dsn, Vault(home.master_key), size, now=now))
    make_cards(home, town, seed=SEED, now=now, pool=pool)
    check_codes(itertools.islice(Cards(cards_path(home.outbox, 0)), 3))
    _say(f"town of {len(town.gates)} gates and {size.cards:,} cards made", begun)
    return town


async def _figures(bench: Bench) -> Figures:
    home, course = bench.home, bench.course
    await rivals.prepare_pgbench(home.dsn)
    tps = [await rivals.pgbench_tps(home.dsn, seconds=course.pgbench_seconds)]
    journals = make(bench)
    environment = {"PARKFLOW_DATA_DIR": str(home.data_dir)}
    async with running(home.data_dir, environment, with_worker=course.with_worker) as service:
        sender = Sender(service.url, seed=SEED)
        try:
            figures = await _peak(bench, service, sender, journals)
            figures |= await _after_days_offline(bench, service, sender, journals)
        finally:
            await sender.aclose()
    tps.append(await rivals.pgbench_tps(home.dsn, seconds=course.pgbench_seconds))
    bare = await rivals.bare_inserts_per_s(home.dsn, epoch=journals.epoch, batches_max=course.bare_batches)
    _say(f"pgbench -N -c 8: {tps[0]:,.0f} tps before, {tps[1]:,.0f} after; bare inserts: {bare:,.0f} scans/s")
    figures["vs_pgbench_n"] = figures["scans_per_s"] * len(tps) / sum(tps)
    figures["vs_bare_insert"] = figures["scans_per_s"] / bare
    return figures


def make(bench: Bench) -> Journals:
    """All that will be sent. The passages of the last minutes are made last, so that they are still that when sent."""
    begun, course, now_ms = time.perf_counter(), bench.course, time.time_ns() // 1_000_000
    epoch = now_ms // 1_000
    offline = make_journals(_offline(bench.town, course, epoch + 1, now_ms), bench.home.outbox, bench.pool)
    # Making the rest takes as long in proportion, and its passages end when it is made.
    took_ms = int((time.perf_counter() - begun) * 1_000) * course.main_scans // max(course.offline_scans, 1)
    end_ms = time.time_ns() // 1_000_000 + took_ms
    main = make_journals(_main(bench.town, course, epoch, end_ms), bench.home.outbox, bench.pool)
    _say(f"{course.main_scans + course.offline_scans:,} scans with real codes made", begun)
    # A service takes no scan from the future, but for clocks that are a little ahead.
    time.sleep(max(0.0, end_ms / 1_000 - time.time()))
    return Journals(epoch, main, offline)


def _main(town: Town, course: Course, epoch: int, end_ms: int) -> list[Epoch]:
    """Passages of the minutes before the load begins."""
    step_ms = _MAIN_MS // ((course.batches_per_gate + 1) * course.batch_scans)
    plan = Passages(course.batches_per_gate, course.batch_scans, step_ms, end_ms)
    return passages(town, range(town.size.lots), epoch, plan)


def _offline(town: Town, course: Course, epoch: int, now_ms: int) -> list[Epoch]:
    """Passages of the last three days at the gates of the first lots."""
    step_ms = OFFLINE_HOURS * _HOUR_MS // ((course.offline_batches + 1) * course.offline_batch_scans)
    plan = Passages(course.offline_batches, course.offline_batch_scans, step_ms, now_ms)
    return passages(town, range(course.offline_lots), epoch, plan)


async def _peak(bench: Bench, service: Service, sender: Sender, journals: Journals) -> Figures:
    """Closed loop to find the rate, open loop a little below it for the figures."""
    course = bench.course
    waiting = deque(upload for batch in zip(*journals.main, strict=True) for upload in batch)
    closed, begun, ended = await closed_loop(sender, waiting, in_flight=course.in_flight, seconds=course.closed_seconds)
    reached = closed.per_second(begun, ended)
    _say(f"closed loop, {course.in_flight} batches under way: {reached:,.0f} scans/s, {_latency(closed)}")
    rate = min(reached * course.open_share, sum(upload.count for upload in waiting) / course.open_seconds)
    before = await meters.read(bench.home, service)
    opened, begun, ended = await open_loop(sender, waiting, scans_per_s=rate, seconds=course.open_seconds, seed=SEED)
    cost = meters.between(before, await meters.read(bench.home, service))
    cost.show("open loop", scans=opened.scans)
    _say(f"open loop at {rate:,.0f} scans/s for {course.open_seconds:.0f} s: {_latency(opened)}")
    await check_stored(bench.home, journals.epoch, [closed, opened])
    return {
        "scans_per_s": opened.per_second(begun, ended),
        "batch500_p99_ms": opened.percentile_ms(0.99),
        "closed_loop_scans_per_s": reached,
        "cpu_us_per_scan": sum(cost.cpu.values()) * 1e6 / opened.scans,
    }


async def _after_days_offline(bench: Bench, service: Service, sender: Sender, journals: Journals) -> Figures:
    """The gates of half the lots come back after three days."""
    before = await meters.read(bench.home, service)
    drained = await drain(
        sender,
        bench.town,
        bench.home.outbox,
        journals.offline,
        epoch=journals.epoch + 2,
        seconds_max=bench.course.drain_seconds_max,
    )
    cost = meters.between(before, await meters.read(bench.home, service))
    cost.show("backlog", scans=drained.backlog.scans)
    await check_stored(bench.home, journals.epoch + 1, [drained.backlog])
    await check_stored(bench.home, journals.epoch + 2, [drained.live], scans=len(drained.lags))
    _tell_drain(drained, bench.course)
    return {"backlog_drain_per_s": drained.per_second, "live_lag_p99_s": drained.lag_percentile_s(0.99)}


def _tell_drain(drained: Drain, course: Course) -> None:
    minutes = FULL_BACKLOG_SCANS / drained.per_second / 60
    _say(
        f"backlog of {2 * course.offline_lots} gates: {drained.backlog.scans:,} of {course.offline_scans:,} scans in"
        f" {drained.seconds:.0f} s, refused {dict(drained.backlog.refused)}; {len(drained.lags):,} live scans, lag p50"
        f" {drained.lag_percentile_s(0.5):.1f} s, p99 {drained.lag_percentile_s(0.99):.1f} s, refused"
        f" {dict(drained.live.refused)}. Extrapolated, not measured: {FULL_BACKLOG_SCANS:,} scans of"
        f" {OFFLINE_GATES} gates in 72 h would take {minutes:.0f} min at this rate"
    )


async def check_stored(home: Home, epoch: int, tallies: Sequence[Tally], *, scans: int | None = None) -> None:
    """Every scan sent was accepted and is there once, as an event and as a passage; fails the run otherwise."""
    sent = sum(tally.scans for tally in tallies) if scans is None else scans
    results = sum((tally.results for tally in tallies), start=Counter[str]())
    async with connected(home.dsn, application="bench") as conn:
        events = await conn.fetchval("select count(*) from gate_event where epoch = $1", epoch)
        passed = await conn.fetchval("select count(*) from scan where epoch = $1", epoch)
        stopped = await conn.fetchval("select count(*) from gate where state <> 'active'")
    lost = sum(tally.lost_answers for tally in tallies)
    if lost == 0 and set(results) - {"accepted"}:
        raise click.ClickException(f"not every scan was accepted: {dict(results)}")
    if stopped:
        raise click.ClickException(f"{stopped} gates are in quarantine: their journals were not believed")
    if (events, passed) != (sent, sent):
        raise click.ClickException(f"sent {sent:,} scans; stored {events:,} events and {passed:,} passages")


def _latency(tally: Tally) -> str:
    shares = ", ".join(f"p{share * 100:g} {tally.percentile_ms(share):,.0f} ms" for share in (0.5, 0.95, 0.99, 1))
    return f"{len(tally.samples):,} batches, {shares}, refused {dict(tally.refused)}, no answer {tally.lost_answers}"


def _say(text: str, begun: float | None = None) -> None:
    click.echo(text if begun is None else f"{text} in {time.perf_counter() - begun:.1f} s")
