"""`gate-sim run`: more traffic for a service that is up, by the phones and gates of a kept town."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click

from gate_sim.api import ApiRefusal
from gate_sim.clock import VirtualClock
from gate_sim.fleet import Fleet
from gate_sim.save import TownUnreadable, load_town
from gate_sim.seed import Seed
from gate_sim.town import Passage
from gate_sim.uplink import UplinkRefused

# A phone shows another code after this long, so that the way out is not a replay of the way in.
_STAY_SECONDS_MIN = 16


_LOOK_SECONDS = 0.25
_STANDS_SECONDS = 5


class ClockStands(Exception):
    """Nobody moves the clock, so nothing will ever happen."""


@dataclass(frozen=True, slots=True)
class Drive:
    """How much traffic: so many stays, each so long in seconds of the clock."""

    stays: int
    stay_seconds: int
    seed: int


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--stays", type=click.IntRange(min=1), default=20, show_default=True, help="How many cars come and go.")
@click.option("--stay-seconds", type=click.IntRange(min=_STAY_SECONDS_MIN), default=30, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Decides who parks where.")
def run(folder: Path, stays: int, stay_seconds: int, seed: int) -> None:
    """Let cars of the town in FOLDER come and go, over HTTP, while its service is up.

    FOLDER is the data directory of `parkflow demo --serve --data-dir FOLDER`; its virtual clock is used.
    """
    try:
        counted = asyncio.run(_run(folder, Drive(stays, stay_seconds, seed)))
    except (TownUnreadable, ApiRefusal, UplinkRefused, ClockStands, OSError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(json.dumps(counted))


async def _run(folder: Path, drive: Drive) -> dict[str, int]:
    clock = VirtualClock(folder / "clock")
    offices, fleet = load_town(folder, now_ms=_ms(clock.now()))
    async with offices.service, offices.channel:
        await fleet.sync(offices.service, at_ms=_ms(clock.now()))
        parked = await _enter(fleet, drive, clock.now())
        await fleet.upload(offices.service, at_ms=_ms(clock.now()))
        await _until(clock, clock.now() + timedelta(seconds=drive.stay_seconds))
        fleet.play(Passage(_ms(clock.now()), lot, "exit", name, name) for name, lot in parked)
        await fleet.upload(offices.service, at_ms=_ms(clock.now()))
    return {"stays": len(parked), **{f"scans_{name}": count for name, count in sorted(fleet.results.items())}}


async def _enter(fleet: Fleet, drive: Drive, now: datetime) -> list[tuple[str, str]]:
    """Drivers who get a credential drive into seeded lots; (driver, lot) of each."""
    dice = Seed(drive.seed).dice("traffic")
    names, lots = sorted(fleet.drivers), sorted({lot for lot, _ in fleet.gates})
    dice.shuffle(names)
    parked: list[tuple[str, str]] = []
    for name in names:
        if len(parked) == drive.stays:
            break
        try:
            await fleet.drivers[name].get_credential(_ms(now) // 1000)
        except ApiRefusal:
            # In arrears, or the card is given back: another one drives.
            continue
        parked.append((name, dice.choice(lots)))
    fleet.play(Passage(_ms(now), lot, "entry", name, name) for name, lot in parked)
    return parked


async def _until(clock: VirtualClock, instant: datetime) -> None:
    """Wait for a clock that someone else moves. Raises ClockStands when nobody does."""
    last, stood_seconds = clock.now(), 0.0
    while (now := clock.now()) < instant:
        stood_seconds = stood_seconds + _LOOK_SECONDS if now == last else 0.0
        if stood_seconds > _STANDS_SECONDS:
            raise ClockStands("the virtual clock stands; is `parkflow demo --serve` still running?")
        last = now
        await asyncio.sleep(_LOOK_SECONDS)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
