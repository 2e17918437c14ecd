"""A server as a direct child that does not outlive its parent, even if that is killed."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from parkflow.kit.clock import SystemClock
from parkflow.servers.home import Account

_PR_SET_PDEATHSIG: Final = 1
_POLL_SECONDS: Final = 0.02
# Loaded before any fork: a child between fork and exec should do as little as possible.
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Child:
    """One running server process."""

    def __init__(
        self, command: Sequence[str | Path], *, account: Account, log: Path, stop_signal: signal.Signals
    ) -> None:
        """Start `command` under `account`, its output appended to `log`; must be called from the main thread.

        `stop_signal` asks it to stop in order; on Linux the kernel also sends it when this process dies.
        """
        self._stop_signal = stop_signal
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
                start_new_session=True,
                preexec_fn=_die_with_parent(stop_signal),
                **account.popen_options(),
            )

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def has_ended(self) -> bool:
        """Whether the process is gone (also collects it, so that it is no zombie)."""
        return self._process.poll() is not None

    def stop(self, *, timeout_seconds: int) -> None:
        """Ask it to stop; after `timeout_seconds` make it."""
        if self.has_ended():
            return
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _die_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def set_death_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != parent:
            # The parent died before the kernel was told.
            os._exit(1)

    return set_death_signal


def wait_until(ready: Callable[[], bool], *, timeout_seconds: int, pause_seconds: float = _POLL_SECONDS) -> bool:
    """Ask `ready` again and again until it says yes; False after `timeout_seconds`."""
    clock = SystemClock()
    deadline_ns = clock.monotonic_ns() + timeout_seconds * 1_000_000_000
    while not ready():
        if clock.monotonic_ns() > deadline_ns:
            return False
        time.sleep(pause_seconds)
    return True


def is_running(pid: int) -> bool:
    """Whether a process with this id runs; one that has ended but was not collected yet (a zombie) does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not _program_state(pid).startswith("Z")


def program_of(pid: int) -> str:
    """The name of the program of a process, empty if there is none."""
    return _ps(pid, "comm=").rpartition("/")[2]


def end_process(pid: int, *signals: signal.Signals, timeout_seconds: int) -> bool:
    """End a process that is not our child by one signal after the other; whether it is gone."""
    for each in signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, each)
        if wait_until(lambda: not is_running(pid), timeout_seconds=timeout_seconds):
            return True
    return False


def _program_state(pid: int) -> str:
    return _ps(pid, "stat=")


def _ps(pid: int, column: str) -> str:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            name, _, rest = text.partition("(")[2].rpartition(")")
            return name if column == "comm=" else rest.split()[0]
        return ""
    answer = subprocess.run(["/bin/ps", "-o", column, "-p", str(pid)], check=False, capture_output=True, text=True)
    return answer.stdout.strip()
