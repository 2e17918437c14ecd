"""`parkflow serve` as a process that a test kills, starts again and looks at."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from tests.edge import MASTER_KEY

_KIB = 1024


def free_port() -> int:
    """A port of the loopback that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Service(AbstractContextManager["Service"]):
    """One address, and the process that listens there at the moment."""

    def __init__(self, dsn: str | None, data_dir: Path, **variables: str) -> None:
        self._environment = {
            **os.environ,
            "PARKFLOW_DATA_DIR": str(data_dir),
            "PARKFLOW_MASTER_KEY": MASTER_KEY.hex(),
            "PYTHONUNBUFFERED": "1",
            **variables,
        }
        if dsn is not None:
            self._environment["PARKFLOW_DATABASE_URL"] = dsn
        self._log = data_dir / "serve.log"
        self._process: subprocess.Popen[str] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start_seconds = 0.0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, variables: Mapping[str, str] | None = None) -> None:
        """Start it and wait until it says that it answers."""
        assert self._process is None
        begun = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "parkflow", "serve", "--port", str(self.port)],
                env={**self._environment, **(variables or {})},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("parkflow serves"), f"{line}{self.log()}"
        self.start_seconds = time.monotonic() - begun

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        assert self._process is not None
        return self._process.poll() is not None

    def collect(self) -> int:
        """The exit code of a process that has ended or is about to."""
        assert self._process is not None
        with self._process as ended:
            code = ended.wait(60)
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.collect() == -signal.SIGKILL

    def memory_bytes(self) -> int:
        """What the process has in memory now (RSS)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * _KIB

    def memory_bytes_max(self) -> int:
        """The most it ever had in memory (high-water mark)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * _KIB

    def log(self) -> str:
        """What it wrote to its standard error."""
        return self._log.read_text(encoding="utf-8")

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self.collect()
