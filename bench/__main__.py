"""Runs the registered benchmarks, compares with the baselines, and writes bench/results/latest.json."""

import importlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.registry import AREAS, Figures

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results" / "latest.json"
# Figures of one named machine at one date; a figure on another machine is compared for its order of magnitude only.
BASELINES = FOLDER / "baselines.json"


@click.command()
@click.option("--only", default="", help="Areas to run, separated by commas; all if left out.")
def main(only: str) -> None:
    """Measure, print a table and write bench/results/latest.json."""
    for path in sorted(FOLDER.glob("area_*.py")):
        importlib.import_module(f"bench.{path.stem}")
    names = [name.strip() for name in only.split(",") if name.strip()] or sorted(AREAS)
    if unknown := sorted(set(names) - set(AREAS)):
        raise click.UsageError(f"no such area: {', '.join(unknown)}; there are {', '.join(sorted(AREAS))}")
    figures: Figures = {}
    for name in names:
        figures |= {f"{name}.{figure}": value for figure, value in AREAS[name]().items()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"figures": figures, "machine": _machine()}, indent=1) + "\n", encoding="utf-8")
    _print(figures)


def _print(figures: Figures) -> None:
    baselines = json.loads(BASELINES.read_text(encoding="utf-8"))["figures"] if BASELINES.exists() else {}
    table = Table("figure", "now", "baseline", "now / baseline")
    for name, value in figures.items():
        known = baselines.get(name)
        ratio = f"{value / known:.2f}" if known else ""
        table.add_row(name, _shown(value), _shown(known) if known else "", ratio)
    console = Console()
    console.print(table)
    console.print(f"written to {RESULTS.relative_to(FOLDER.parent)}")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _machine() -> dict[str, object]:
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    main()
