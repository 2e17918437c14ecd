"""The curve's back ends side by side: the same program built for each, run where the CPU has what it needs."""

import json
import os
import subprocess
from pathlib import Path

from bench.registry import Figures

ROOT = Path(__file__).parents[1]
# Name of the back end -> what the CPU must have. The usual build holds all three and picks the last one that fits.
BACKENDS = {"serial": (), "simd": ("avx2",), "avx512": ("avx512ifma", "avx512vl")}


def backends() -> Figures:
    """Microseconds a code on one core for each back end: single, batch of 256, batch with verified credentials."""
    figures: Figures = {}
    for backend, needed in BACKENDS.items():
        if _cpu_flags().issuperset(needed):
            rates = _rates(backend)
            name = "avx2" if backend == "simd" else backend
            figures |= {f"{name}_{figure}": value for figure, value in rates.items()}
    return figures


def _rates(backend: str) -> Figures:
    environment = {**os.environ, "RUSTFLAGS": f'--cfg curve25519_dalek_backend="{backend}"'}
    folder = ROOT / "target" / "backends" / backend
    command = ["cargo", "run", "--locked", "--quiet", "--release", "--package", "parkflow-core"]
    command += ["--example", "code_rates", "--target-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    rates: Figures = json.loads(done.stdout)
    return rates


def _cpu_flags() -> set[str]:
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    return {flag for line in lines if line.startswith("flags") for flag in line.partition(":")[2].split()}
