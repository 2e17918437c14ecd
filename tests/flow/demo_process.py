"""Running `parkflow demo` as a process of its own, as a person does."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 170
# A morning of the demo's day.
SMALL = ("demo", "--stays=40", "--json")


def environment(**variables: str) -> dict[str, str]:
    """Ours without PARKFLOW_ settings, plus `variables`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARKFLOW_")}
    return {**clean, "PYTHONPATH": str(ROOT), **variables}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "parkflow", *arguments]


def run(*arguments: str, variables: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run `parkflow …` to its end."""
    return subprocess.run(
        command(*arguments),
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        env=environment(**(variables or {})),
    )


def figures_of(output: str) -> dict[str, Any]:
    """The JSON object in the last line."""
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures
