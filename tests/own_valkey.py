"""A Valkey of a test's own, to be killed and emptied."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from parkflow.servers.binaries import find_valkey
from parkflow.servers.child import wait_until
from parkflow.servers.home import choose_account


class OwnValkey:
    """One server on a Unix socket."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        command = [str(program), "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder), "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        assert wait_until(self.socket.exists, timeout_seconds=30)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    async def say(self, command: str) -> str:
        """The first line of its answer."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        try:
            writer.write(f"{command}\r\n".encode())
            return (await reader.readline()).decode().strip()
        finally:
            writer.transport.abort()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(30)


@contextlib.contextmanager
def own_valkey() -> Iterator[OwnValkey | None]:
    """A server for the time of the block; None where none can run."""
    program = find_valkey(None, choose_account())
    if program is None:
        yield None
        return
    # The path of a socket has at most 107 bytes, so it does not lie where pytest keeps its folders.
    folder = Path(tempfile.mkdtemp(prefix="pf-valkey-", dir="/tmp"))
    server = OwnValkey(program, folder)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)
