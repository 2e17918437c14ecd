"""Fuzzing: builds the targets of core_rs/fuzz and searches, guided by coverage, for inputs that break the core."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

ROOT = Path(__file__).parents[1]
CRATE = ROOT / "core_rs" / "fuzz"
# Of its own: the instrumented build shares nothing with the usual one, and neither makes the other build again.
FOLDER = ROOT / "target" / "fuzz"
CORES = 2
# One input: the slowest good one takes a few milliseconds.
INPUT_SECONDS_MAX = 5
MEMORY_MB_MAX = 1024

# Counters for each edge and the operands of each comparison, by flags of the stable compiler (those of cargo-fuzz).
INSTRUMENTED = (
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    # Conditions stay branches of their own, so that each is seen.
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
)


@dataclass(frozen=True)
class Target:
    """A program in core_rs/fuzz/src/bin, and its share of the benchmark: inputs, and seconds for slow machines."""

    name: str
    bytes_max: int
    bench_runs: int
    bench_seconds_max: int
    dictionary: str = ""


# Here a new target is named, and nowhere else. They begin in this order, the longest first, to keep both cores busy.
# The benchmark takes each target a minute or two and makes ten million inputs and some more, most by far of the
# cheapest one. The seconds make six minutes at most, in which a machine that is half busy gets there as well.
TARGETS = (
    Target("decode", bytes_max=404, bench_runs=9_400_000, bench_seconds_max=240),
    Target("tariff", bytes_max=4_096, bench_runs=500_000, bench_seconds_max=120, dictionary="tariff.dict"),
    Target("bundle", bytes_max=2_048, bench_runs=30_000, bench_seconds_max=60),
    Target("gate", bytes_max=256, bench_runs=60_000, bench_seconds_max=40),
    Target("upload", bytes_max=1_024, bench_runs=200_000, bench_seconds_max=60),
    Target("lotqr", bytes_max=256, bench_runs=400_000, bench_seconds_max=15),
    Target("verify", bytes_max=128, bench_runs=120_000, bench_seconds_max=95),
    Target("ed25519", bytes_max=512, bench_runs=80_000, bench_seconds_max=90),
)


@dataclass(frozen=True)
class Effort:
    """How long one target is searched: until either bound, 0 inputs being none. Seed 0 = another one each time."""

    seconds: int
    runs: int = 0
    seed: int = 0
    # Begin with the seeds alone, not with what earlier searches found.
    fresh: bool = False


@dataclass(frozen=True)
class Found:
    """What came of one target: edges covered by its seeds and at the end, and how many inputs were worth keeping."""

    target: Target
    executions: int
    seconds: float
    edges_begin: int
    edges_end: int
    kept: int
    crash: Path | None
    failure: str

    @property
    def is_clean(self) -> bool:
        """Nothing was found, and the search itself went well."""
        return not self.crash and not self.failure


def build() -> Path:
    """Build all targets; the folder of the programs. Raises a click exception that shows the compiler's words."""
    if not shutil.which(os.environ.get("CXX", "c++")):
        raise click.ClickException("a C++ compiler is missing, which libFuzzer needs (Debian: apt install g++)")
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.split()[1] for line in version.splitlines() if line.startswith("host:"))
    # With a target named, cargo keeps the flags away from build scripts, which could not be linked with them.
    command = ["cargo", "build", "--locked", "--quiet", "--profile=fuzz", "--package=parkflow-fuzz", "--bins"]
    environment = os.environ | {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(INSTRUMENTED)}
    command += [f"--target={host}", f"--target-dir={FOLDER}"]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if built.returncode:
        raise click.ClickException(f"the fuzz targets do not build:\n{built.stderr}")
    return FOLDER / host / "fuzz"


def search(
    programs: Path, efforts: Sequence[tuple[Target, Effort]], tell: Callable[[Found], None] = lambda found: None
) -> list[Found]:
    """Search targets, as many at a time as there are cores; `tell` hears of each as it ends."""

    def run(target: Target, effort: Effort) -> Found:
        found = _search_one(programs / target.name, target, effort)
        tell(found)
        return found

    with ThreadPoolExecutor(CORES) as pool:
        return list(pool.map(lambda pair: run(*pair), efforts))


def _search_one(program: Path, target: Target, effort: Effort) -> Found:
    seeds, corpus, crashes = (FOLDER / kind / target.name for kind in ("seeds", "corpus", "crashes"))
    for folder in (seeds, corpus) if effort.fresh else (seeds,):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (seeds, corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(program), f"-runs={effort.runs or -1}", f"-max_total_time={effort.seconds}", f"-seed={effort.seed}",
        f"-timeout={INPUT_SECONDS_MAX}", f"-rss_limit_mb={MEMORY_MB_MAX}", f"-max_len={target.bytes_max}",
        "-print_final_stats=1", f"-artifact_prefix={crashes}/",
    ]  # fmt: skip
    if target.dictionary:
        command.append(f"-dict={CRATE / target.dictionary}")
    environment = os.environ | {"PARKFLOW_FUZZ_SEEDS": str(seeds)}
    log = FOLDER / f"{target.name}.log"
    begun = time.monotonic()
    with log.open("w", encoding="utf-8") as out:
        ended = subprocess.run(
            [*command, str(corpus), str(seeds)], env=environment, stdout=out, stderr=out, check=False
        )
    return _read(log, target, ended.returncode, time.monotonic() - begun)


def _read(log: Path, target: Target, exit_code: int, seconds: float) -> Found:
    text = log.read_text(encoding="utf-8", errors="replace")
    edges = [int(count) for count in re.findall(r"^#\d+\s+\w+\s+cov: (\d+)", text, re.MULTILINE)] or [0]
    begin = re.search(r"INITED cov: (\d+)", text)
    executions = re.search(r"stat::number_of_executed_units: (\d+)", text)
    kept = re.findall(r" corp: (\d+)/", text)
    crash = re.search(r"Test unit written to (\S+)", text)
    return Found(
        target=target,
        executions=int(executions[1]) if executions else 0,
        seconds=seconds,
        edges_begin=int(begin[1]) if begin else 0,
        edges_end=edges[-1],
        kept=int(kept[-1]) if kept else 0,
        crash=Path(crash[1]) if crash else None,
        failure=f"exit code {exit_code}, see {log}" if exit_code or not executions else "",
    )


def line(found: Found, programs: Path) -> str:
    """What is shown of a target; of a finding also how to see it again."""
    name = found.target.name
    told = (
        f"{name:<8} {found.executions:>10,} inputs  {found.executions / found.seconds:>9,.0f}/s"
        f"  edges {found.edges_begin:,} → {found.edges_end:,}  kept {found.kept:,}"
    )
    if found.crash:
        return (
            f"{told}\n{name}: FOUND {found.crash}\n  again: {programs / name} {found.crash}\n  log: {FOLDER / name}.log"
        )
    return f"{told}\n{name}: FAILED, {found.failure}" if found.failure else told


@click.command()
@click.option("--seconds", type=click.IntRange(1), default=60, show_default=True, help="For all targets together.")
@click.option("--only", default="", help="Targets to search, separated by commas; all if left out.")
@click.option("--seed", type=click.IntRange(0), default=0, help="The search's own luck; another each time if left out.")
@click.option("--fresh", is_flag=True, help="Begin with the seeds alone, not with what earlier searches kept.")
def main(seconds: int, only: str, seed: int, fresh: bool) -> None:
    """Search for inputs that break the core; exit code 1 if one is found."""
    known = {target.name: target for target in TARGETS}
    names = [name.strip() for name in only.split(",") if name.strip()] or list(known)
    if unknown := sorted(set(names) - set(known)):
        raise click.UsageError(f"no such target: {', '.join(unknown)}; there are {', '.join(known)}")
    console = Console(stderr=True)
    with console.status("building the fuzz targets …"):
        programs = build()
    each = Effort(seconds=max(1, seconds * min(CORES, len(names)) // len(names)), seed=seed, fresh=fresh)
    with console.status(f"searching for {seconds} seconds …"):
        found = search(
            programs, [(known[name], each) for name in names], lambda found: click.echo(line(found, programs))
        )
    if not all(one.is_clean for one in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
