"""`gate-sim fleet`: many gates and phones against a service that is up, everything going wrong, and the books after."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from gate_sim.api import ApiRefusal
from gate_sim.clock import VirtualClock
from gate_sim.driver import Driver
from gate_sim.fleet_cheat import Cheat
from gate_sim.fleet_log import FleetLog, FleetVerdict, StayCounts, judge_fleet
from gate_sim.fleet_plan import FleetPlan, FleetWishes, plan_fleet
from gate_sim.fleet_play import FleetGate, FleetRun
from gate_sim.fleet_town import FleetTown, install, open_town, stays_of, with_credentials
from gate_sim.gate import Gate, Post
from gate_sim.http import Client, NoAnswer
from gate_sim.lossy_line import LossyLine
from gate_sim.save import TownUnreadable
from gate_sim.seed import Seed
from gate_sim.uplink import Habits

_CHEAT: Final = "cheat"
_LOOK_SECONDS: Final = 0.2
# The worker pairs scans within seconds of the service's time; some of that is ours.
_APPLY_LOOKS_MAX: Final = 300
_CHEATED_PHONES: Final = 20
_EXIT_CHECK_FAILED: Final = 1


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What came of it."""

    plan: FleetPlan
    phones: int
    gates: Sequence[Mapping[str, Any]]
    run: FleetRun
    cheat: Cheat
    verdict: FleetVerdict

    @property
    def is_good(self) -> bool:
        return self.verdict.is_good and not self.cheat.accepted

    def as_json(self) -> dict[str, Any]:
        log = self.run.log
        return {
            "traffic_sha256": self.plan.sha256,
            "gates": self.gates,
            "phones": self.phones,
            "events": len(log.events),
            "verdicts": _sorted(log.verdicts),
            "results": _sorted(log.result_kinds()),
            "refused_at_gates": _sorted(self.run.refusals),
            "stays": sum(self.run.ended.values()),
            "cheat": {trick: _sorted(results) for trick, results in self.cheat.results.items()},
            "cheat_accepted": self.cheat.accepted,
            **self.verdict.as_json(),
        }


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--gates", type=click.IntRange(min=2), default=40, show_default=True, help="Half of them exits.")
@click.option("--phones", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--minutes", type=click.IntRange(min=5), default=20, show_default=True, help="Of the service's time.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same traffic.")
@click.option("--real-time", is_flag=True, help="Wait for the town's clock instead of moving it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the tables.")
def fleet(folder: Path, **chosen: Any) -> None:
    """Send a fleet of gates and phones through a town that is up, over bad lines and with a cheating gate among them.

    FOLDER is the data directory of `parkflow demo --serve --data-dir FOLDER`. Exit code 1 if the service has not
    exactly what the gates wrote down, or if it took anything from the cheat.
    """
    wishes = FleetWishes(chosen["gates"], chosen["phones"], chosen["minutes"], Seed(chosen["seed"]))
    try:
        report = asyncio.run(_fleet(folder, wishes, real_time=chosen["real_time"]))
    except (TownUnreadable, ApiRefusal, NoAnswer, OSError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(json.dumps(report.as_json()) if chosen["as_json"] else _table(report))
    if not report.is_good:
        raise SystemExit(_EXIT_CHECK_FAILED)


async def _fleet(folder: Path, wishes: FleetWishes, *, real_time: bool) -> FleetReport:
    clock = VirtualClock(folder / "clock")
    town = open_town(folder, f"seed-{wishes.seed.number}")
    async with town.offices.service, town.offices.channel:
        plan = plan_fleet(wishes, lots=len(town.lots))
        names = [(f"gate-{one.number}", town.lots[one.lot], one.direction) for one in plan.gates]
        *posts, cheat_post = await install(town, [*names, (_CHEAT, town.lots[0], "entry")], wishes.seed)
        drivers = await with_credentials(town, wishes.phones, _ms(clock) // 1000)
        if len(drivers) < wishes.phones:
            raise TownUnreadable(
                f"{folder}: {len(drivers)} drivers get a credential, {wishes.phones} phones are wanted"
            )
        log = FleetLog(town.folder / "events.jsonl")
        with contextlib.closing(log):
            async with _gates(town, plan, posts, log, wishes) as gates:
                run = FleetRun(plan, gates, drivers, log, wishes.seed, _ms(clock) // 60_000 * 60_000 + 60_000)
                await run.play(_pacer(clock, run.begin_ms, moves=not real_time), wishes.minutes * 60)
                cheat = Cheat(cheat_post, wishes.seed, town.offices.service, _ms(clock) // 1000, {})
                phones = [driver.phone for driver in drivers[:_CHEATED_PHONES]]
                taken = run.accepted(_CHEATED_PHONES)
                await cheat.try_everything(phones, taken, at_ms=_ms(clock), victim=posts[0].gate)
                stays = await _stays(town, run, clock, moves=not real_time)
                verdict = judge_fleet(log, run.acked(), stays)
                return FleetReport(plan, len(drivers), [_gate_line(one) for one in gates], run, cheat, verdict)


@contextlib.asynccontextmanager
async def _gates(
    town: FleetTown, plan: FleetPlan, posts: Sequence[Post], log: FleetLog, wishes: FleetWishes
) -> AsyncIterator[list[FleetGate]]:
    """The gates with the bundle of now, each at a line of its own."""
    async with contextlib.AsyncExitStack() as stack:
        gates = []
        for one, post in zip(plan.gates, posts, strict=True):
            dice = wishes.seed.dice("line", str(one.number))
            line = LossyLine(town.offices.service.base_url, dice, one.cut_percent, perfect=True)
            client = await stack.enter_async_context(Client(await stack.enter_async_context(line.relaying())))
            gates.append(FleetGate(one, _gate(town, post, log), client, line))
            stack.callback(gates[-1].gate.journal.close)
        now_ms = _ms(VirtualClock(town.folder.parent.parent / "clock"))
        for ready in gates:
            # What an earlier run that was stopped left behind is not this run's.
            await ready.gate.uplink.upload(ready.client, at_ms=now_ms)
            await ready.gate.uplink.refresh_bundle(ready.client, at_ms=now_ms)
            ready.line.perfect = False
        yield gates


def _gate(town: FleetTown, post: Post, log: FleetLog) -> Gate:
    def witness(epoch: int, results: Mapping[int, str]) -> None:
        log.note_results(post.gate, epoch, results)

    habits = Habits(tries=3, pause_seconds=0.05, witness=witness)
    return Gate(post, town.folder, now_ms=_ms(VirtualClock(town.folder.parent.parent / "clock")), habits=habits)


def _pacer(clock: VirtualClock, begin_ms: int, *, moves: bool) -> Callable[[int], Awaitable[None]]:
    async def wait_until(at_s: int) -> None:
        while (left_ms := begin_ms + at_s * 1000 - _ms(clock)) > 0:
            if moves:
                clock.advance(timedelta(milliseconds=left_ms))
            else:
                await asyncio.sleep(_LOOK_SECONDS)

    return wait_until


async def _stays(town: FleetTown, run: FleetRun, clock: VirtualClock, *, moves: bool) -> dict[str, StayCounts]:
    """What the drivers see, once the worker had time to pair all that came."""
    counts: dict[str, StayCounts] = {}
    left: list[Driver] = [driver for driver in run.drivers if driver.person.name not in run.unclear]
    for _ in range(_APPLY_LOOKS_MAX):
        for driver in left:
            counts[driver.person.name] = await _stays_of_one(town, run, driver)
        left = [driver for driver in left if counts[driver.person.name].found < counts[driver.person.name].expected]
        if not left:
            break
        if moves:
            clock.advance(timedelta(seconds=1))
        await asyncio.sleep(_LOOK_SECONDS)
    return counts


async def _stays_of_one(town: FleetTown, run: FleetRun, driver: Driver) -> StayCounts:
    stays = await stays_of(town.offices.service, driver, since_s=run.begin_ms // 1000 - 60)
    ended = sum(stay["exit_at"] is not None for stay in stays)
    return StayCounts(run.ended[driver.person.name], ended)


def _gate_line(one: FleetGate) -> dict[str, Any]:
    journal = one.gate.journal
    return {
        "gate": one.gate.post.gate,
        "direction": one.plan.direction,
        "skew_ms": one.plan.skew_ms,
        "offline_s": sum(end - start for start, end in one.plan.offline),
        "cuts": dict(one.line.cuts),
        "wrote": journal.last_seq,
        "holds": journal.waiting,
        "service_has": one.gate.uplink.acked_by_epoch.get(journal.epoch, 0),
    }


def _table(report: FleetReport) -> str:
    rows = [f"{'gate':22}{'way':6}{'skew ms':>8}{'offline s':>10}{'cuts':>6}{'wrote':>7}{'holds':>7}{'service':>8}"]
    for line in report.gates:
        rows.append(
            f"{line['gate']:22}{line['direction']:6}{line['skew_ms']:>8}{line['offline_s']:>10}"
            f"{sum(line['cuts'].values()):>6}{line['wrote']:>7}{line['holds']:>7}{line['service_has']:>8}"
        )
    rest = {name: value for name, value in report.as_json().items() if name != "gates"}
    rows += [f"{name:18} {json.dumps(value)}" for name, value in rest.items()]
    return "\n".join([*rows, "nothing lost, nothing doubled" if report.is_good else "the books do not agree"])


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _ms(clock: VirtualClock) -> int:
    return int(clock.now().timestamp() * 1000)
