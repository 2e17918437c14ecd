"""The embedded Valkey: holds only what may vanish, so that it may also be missing."""

import signal
import socket
from pathlib import Path
from typing import Final

from parkflow.servers.child import Child, wait_until
from parkflow.servers.home import Account, Home

START_TIMEOUT_SECONDS: Final = 20
STOP_TIMEOUT_SECONDS: Final = 10


def start_valkey(home: Home, program: Path, account: Account, socket_dir: Path) -> Child | None:
    """Start Valkey on a socket of its own; None if it does not answer in time (its log says why)."""
    home.valkey.mkdir(mode=0o700, exist_ok=True)
    account.give(home.valkey)
    path = socket_path(socket_dir)
    command: list[str | Path] = [program, "--port", "0", "--unixsocket", path, "--unixsocketperm", "700"]
    command += ["--dir", home.valkey, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    # Refusing writes when full is right for limits: forgetting one would lift it.
    command += ["--maxmemory", "256mb", "--maxmemory-policy", "noeviction"]
    child = Child(
        command,
        account=account,
        log=home.logs / "valkey.log",
        stop_signal=signal.SIGTERM,
    )
    answers = wait_until(lambda: child.has_ended() or _answers(path), timeout_seconds=START_TIMEOUT_SECONDS)
    if answers and not child.has_ended():
        return child
    child.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)
    return None


def socket_path(socket_dir: Path) -> Path:
    """Valkey's socket among the sockets of a start."""
    return socket_dir / "valkey.sock"


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False
