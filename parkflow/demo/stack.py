"""The processes of the demo: the simulated channel, the API and the worker, started, kept up and ended by their ids."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gate_sim.http import Client, NoAnswer
from parkflow.kit.errors import ParkflowError
from parkflow.serving import PortTaken

_LOOPBACK: Final = "127.0.0.1"
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 15
_POLL_SECONDS: Final = 0.05
# A killed process is started again, as any service manager would; one that keeps dying is a fault.
RESTARTS_MAX: Final = 5
_LOG_TAIL_LINES: Final = 8


class DemoFailed(ParkflowError):
    """A process of the demo did not start or kept dying."""

    code = "demo_failed"
    status = 500


@dataclass(slots=True)
class Member:
    """One process: what it runs, and whether it still does."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0

    def start(self) -> None:
        """Start it; must be called from the main thread, with which the process then ends."""
        self.starts += 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(self.environment),
                start_new_session=True,
                preexec_fn=_end_with_parent(),
            )

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])


@dataclass(slots=True)
class Stack:
    """The processes in order of start; they end in the reverse order."""

    folder: Path
    environment: Mapping[str, str]
    members: list[Member] = field(default_factory=list)
    _failure: DemoFailed | None = None

    def add(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Member:
        """Start `python -m …` under `name`; its output goes to `logs/<name>.log`."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        member = Member(
            name,
            [sys.executable, "-P", "-m", *arguments],
            {**self.environment, **(environment or {})},
            logs / f"{name}.log",
        )
        self.members.append(member)
        member.start()
        self._write_ids()
        return member

    def check(self) -> None:
        """Raises DemoFailed once a process could not be kept up."""
        if self._failure is not None:
            raise self._failure

    async def answers(self, member: Member, url: str, path: str) -> None:
        """Wait until `path` at `url` answers anything. Raises DemoFailed with the end of the log."""
        async with Client(url) as client:
            for _ in range(int(_START_SECONDS / _POLL_SECONDS)):
                if not member.is_up():
                    break
                with contextlib.suppress(NoAnswer):
                    await client.request("GET", path)
                    return
                await asyncio.sleep(_POLL_SECONDS)
        raise DemoFailed(f"{member.name} did not start: {_one_line(member.log_tail())}")

    async def keep_up(self) -> None:
        """Start again whatever dies, until cancelled."""
        while True:
            for member in self.members:
                if member.is_up():
                    continue
                if member.starts > RESTARTS_MAX:
                    self._failure = DemoFailed(f"{member.name} keeps dying: {_one_line(member.log_tail())}")
                    return
                member.start()
                self._write_ids()
            await asyncio.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End every process by its id: asked first, then killed."""
        for member in reversed(self.members):
            if member.process is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                member.process.send_signal(signal.SIGTERM)
        for member in reversed(self.members):
            if member.process is None:
                continue
            try:
                member.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()

    def _write_ids(self) -> None:
        ids = "".join(f"{member.name} {member.pid}\n" for member in self.members)
        draft = self.folder / "processes.draft"
        draft.write_text(ids, encoding="ascii")
        draft.replace(self.folder / "processes")


@contextlib.asynccontextmanager
async def kept_up(stack: Stack) -> AsyncIterator[Stack]:
    """The stack for the time of the block: what dies is started again, and everything ends with the block."""
    keeper = asyncio.create_task(stack.keep_up())
    try:
        yield stack
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        stack.stop()


def free_port(wanted: int = 0) -> int:
    """`wanted` if nobody listens there, or any free port of the loopback for 0. Raises PortTaken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, wanted))
        except (OSError, OverflowError) as error:
            raise PortTaken(f"port {wanted} cannot be used: {error}; choose another port with --port") from error
        return int(probe.getsockname()[1])


def child_environment(**variables: str) -> dict[str, str]:
    """The environment of this process for a child that must find the same parkflow, with `variables` on top."""
    package_parent = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **variables}


def _end_with_parent() -> Callable[[], None] | None:
    """Have the kernel end the child when this process is killed and cannot do it itself (Linux)."""
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def _one_line(text: str) -> str:
    return " | ".join(line.strip() for line in text.splitlines() if line.strip()) or "it wrote nothing"
