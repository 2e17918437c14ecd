"""A disk of a test's own, small enough to be filled: a tmpfs, where mounting is allowed."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from parkflow.servers.child import wait_until


class SmallDisk:
    """A mounted folder and a ballast file that takes its space."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @property
    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free

    def fill(self, *, but_bytes: int) -> None:
        """Take all space but so much."""
        size = self._ballast.stat().st_size if self._ballast.exists() else 0
        with self._ballast.open("ab") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, max(1, size + self.free_bytes - but_bytes))

    def free(self) -> None:
        """Give all of it back."""
        self._ballast.unlink()


def _unmounted(folder: Path) -> bool:
    return subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode == 0


@contextlib.contextmanager
def small_disk(size_bytes: int) -> Iterator[SmallDisk | None]:
    """The disk for the time of the block; None where mounting is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="pf-disk-", dir="/tmp"))
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0755", "parkflow-test", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
            yield None
            return
        try:
            yield SmallDisk(folder)
        finally:
            # A server that has ended may still have a file open for a moment.
            assert wait_until(lambda: _unmounted(folder), timeout_seconds=30)
    finally:
        folder.rmdir()
