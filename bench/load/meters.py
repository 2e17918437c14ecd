"""What a phase costs: CPU seconds of each process from /proc, and the service's own times of its stages."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from bench.load.home import Home
from bench.load.service import Service
from gate_sim.http import Client
from parkflow.db.pool import connected

STAGE_METRIC: Final = "parkflow_ingest_stage_seconds"
REQUEST_METRIC: Final = "parkflow_http_request_seconds"
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_BACKENDS: Final = "select pid, application_name from pg_stat_activity where backend_type = 'client backend'"
_WIDTH: Final = 110
Spent = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds so far by part, and (count, seconds) so far by stage."""

    cpu: Spent
    stages: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Cost:
    """The difference between two readings."""

    cpu: Spent
    stages: Mapping[str, tuple[float, float]]

    def show(self, title: str, *, scans: int) -> None:
        """Print what each part and each stage took of it."""
        total = sum(self.cpu.values())
        table = Table("process", "CPU s", "share", "µs a scan", title=f"{title}: CPU by process, {scans:,} scans")
        for part, seconds in sorted(self.cpu.items(), key=lambda pair: -pair[1]):
            table.add_row(part, f"{seconds:.1f}", f"{seconds / total:.0%}", f"{seconds * 1e6 / max(scans, 1):.1f}")
        table.add_row("all", f"{total:.1f}", "100%", f"{total * 1e6 / max(scans, 1):.1f}")
        Console(width=_WIDTH).print(table)
        stages = {name: one for name, one in self.stages.items() if one[0]}
        if not stages:
            return
        whole = sum(seconds for _, seconds in stages.values())
        table = Table("stage", "times", "s", "share", "ms a time", title=f"{title}: time by stage of an upload")
        for name, (times, seconds) in stages.items():
            table.add_row(
                name, f"{times:,.0f}", f"{seconds:.1f}", f"{seconds / whole:.0%}", f"{seconds / times * 1e3:.2f}"
            )
        Console(width=_WIDTH).print(table)


async def read(home: Home, service: Service) -> Reading:
    """Where everything stands now."""
    async with connected(home.dsn, application="bench") as conn:
        backends = {int(row["pid"]): str(row["application_name"]) for row in await conn.fetch(_BACKENDS)}
    return Reading(_cpu(home, service, backends), await _stages(service))


def between(before: Reading, after: Reading) -> Cost:
    """What was spent from one reading to the other."""
    return Cost(
        {part: seconds - before.cpu.get(part, 0.0) for part, seconds in after.cpu.items()},
        {
            stage: (times - before.stages.get(stage, (0.0, 0.0))[0], seconds - before.stages.get(stage, (0.0, 0.0))[1])
            for stage, (times, seconds) in after.stages.items()
        },
    )


def _cpu(home: Home, service: Service, backends: Mapping[int, str]) -> Spent:
    processes = dict(_processes())
    spent: dict[str, float] = defaultdict(float)
    # Locust is a child of ours and has ended when we look.
    own = os.times()
    spent["load"] = own.user + own.system + own.children_user + own.children_system
    for pid in _family(processes, service.api.pid):
        spent["API"] += processes[pid].seconds
    for pid in _family(processes, service.worker.pid) if service.worker else ():
        spent["worker"] += processes[pid].seconds
    for pid in _family(processes, home.keeper_pid):
        one = processes[pid]
        if "valkey" in one.name:
            spent["Valkey"] += one.seconds
        elif "postgres" in one.name:
            # What has ended counts with the postmaster, which waited for it.
            spent[_of_postgres(pid, backends)] += one.seconds + one.ended_seconds
    return dict(spent)


def _of_postgres(pid: int, backends: Mapping[int, str]) -> str:
    application = backends.get(pid, "")
    for name in ("serve", "worker"):
        if application == f"parkflow {name}":
            return f"Postgres for {'API' if name == 'serve' else name}"
    return "Postgres itself"


@dataclass(frozen=True, slots=True)
class _Process:
    name: str
    parent: int
    seconds: float
    ended_seconds: float


def _processes() -> Iterator[tuple[int, _Process]]:
    """Every process of the machine (proc(5), stat: the name is in brackets and may hold anything)."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        name, _, rest = text.partition("(")[2].rpartition(")")
        fields = rest.split()
        user, system, ended_user, ended_system = (int(fields[place]) / _TICKS_PER_SECOND for place in range(11, 15))
        yield int(folder.name), _Process(name, int(fields[1]), user + system, ended_user + ended_system)


def _family(processes: Mapping[int, _Process], pid: int) -> set[int]:
    """A process that lives and all that descend from it."""
    found = {pid} & processes.keys()
    while more := {one for one, process in processes.items() if process.parent in found} - found:
        found |= more
    return found


async def _stages(service: Service) -> Mapping[str, tuple[float, float]]:
    """The service's stages of an upload; a service that does not say has its requests counted as one."""
    async with Client(service.url) as client:
        answer = await client.request("GET", "/metrics")
    sums: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            base, _, kind = sample.name.rpartition("_")
            if base == STAGE_METRIC and kind in ("sum", "count"):
                sums[base, sample.labels["stage"]][kind] = sample.value
            elif base == REQUEST_METRIC and kind in ("sum", "count") and sample.labels["route"].endswith("/scans"):
                sums[base, "whole request"][kind] = sample.value
    chosen = STAGE_METRIC if any(base == STAGE_METRIC for base, _ in sums) else REQUEST_METRIC
    return {stage: (one["count"], one["sum"]) for (base, stage), one in sums.items() if base == chosen}
