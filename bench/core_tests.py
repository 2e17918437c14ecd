"""Tests of the Rust core that search longer here than in `make test`, in fast code that still has every check."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
COMMAND = ("cargo", "test", "--locked", "--quiet", "--profile=fuzz", "--package=parkflow-core", "--test=rules")


def build() -> None:
    """Build them, so that running one measures the test alone. Raises a click exception with the compiler's words."""
    built = _cargo("--no-run")
    if built.returncode:
        raise click.ClickException(f"the tests of the core do not build:\n{built.stderr}")


def run(test: str, variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the tests whose names begin with `test`, with `variables` set; what they print is in `stdout`."""
    return _cargo("--", test, "--nocapture", variables=variables)


def _cargo(*arguments: str, variables: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | (variables or {})
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
