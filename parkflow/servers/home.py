"""Where the embedded servers keep their files, and under which account they run."""

import contextlib
import fcntl
import os
import pwd
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parkflow.kit.errors import DatabaseUnavailable

# Postgres refuses to run as root; the first of these that exists is used instead.
_ACCOUNTS: Final = ("parkflow", "postgres", "nobody")
# For root alone: a place that other accounts can enter, when the data directory or the binaries lie under a closed one.
_OPEN_PLACE: Final = Path("/var/lib/parkflow")


@dataclass(frozen=True)
class Account:
    """The account of the server processes; `switch` says that it is another one than ours (we are root)."""

    uid: int
    gid: int
    switch: bool

    def popen_options(self) -> dict[str, object]:
        """Arguments for subprocess that make the child run under this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def can_run(self, *command: str | Path) -> bool:
        """Whether the account can execute `command` and it ends well."""
        try:
            done = subprocess.run(  # type: ignore[call-overload]
                command, check=False, capture_output=True, stdin=subprocess.DEVNULL, cwd="/", **self.popen_options()
            )
        except OSError:
            return False
        return bool(done.returncode == 0)

    def can_enter(self, folder: Path) -> bool:
        """Whether the account can reach `folder`."""
        return not self.switch or self.can_run("/bin/sh", "-c", 'cd -- "$0"', folder)

    def give(self, path: Path) -> None:
        """Make `path` the account's own."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True)
class Home:
    """The files of one data directory; `cluster_parent` is elsewhere only if the account cannot enter the directory."""

    data_dir: Path
    cluster_parent: Path

    @property
    def cluster(self) -> Path:
        return self.cluster_parent / "postgres"

    @property
    def valkey(self) -> Path:
        return self.cluster_parent / "valkey"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def description(self) -> Path:
        """What runs and where (JSON), there only while a keeper keeps it running."""
        return self.data_dir / "servers.json"

    @property
    def password(self) -> Path:
        return self.data_dir / "postgres.password"


def users_lock(data_dir: Path) -> Path:
    """Held shared by every process that uses the servers, exclusively by a keeper that is stopping them."""
    return data_dir / "users.lock"


def keeper_lock(data_dir: Path) -> Path:
    """Held exclusively by the one keeper for as long as it lives."""
    return data_dir / "keeper.lock"


def make_data_dir(data_dir: Path) -> None:
    """Create the data directory if need be. Raises DatabaseUnavailable when it cannot be used."""
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            # The server's account must be able to pass; what is secret in it is 0600 by itself.
            data_dir.chmod(0o755)
        (data_dir / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(f"data directory {data_dir} cannot be used: {error.strerror}") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise DatabaseUnavailable(f"data directory {data_dir} is not writable for this user")


def choose_account() -> Account:
    """The account for the servers: our own, or as root the first of parkflow, postgres, nobody."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid, switch=True)
    raise DatabaseUnavailable(f"Postgres does not run as root, and none of the users {', '.join(_ACCOUNTS)} exists")


def find_home(data_dir: Path, account: Account) -> Home:
    """The layout for `data_dir`; never changes the permissions of a directory above it."""
    if account.can_enter(data_dir):
        return Home(data_dir, data_dir)
    # Named by a random mark in the data directory, so that a new data directory at the same path starts empty.
    mark = data_dir / "home.mark"
    if not mark.exists():
        mark.write_text(secrets.token_hex(8), encoding="ascii")
    parent = open_place() / mark.read_text(encoding="ascii")
    parent.mkdir(mode=0o755, exist_ok=True)
    return Home(data_dir, parent)


def open_place() -> Path:
    """A directory of root that every account can enter. Raises DatabaseUnavailable when others may write in it."""
    _OPEN_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    status = _OPEN_PLACE.stat()
    if status.st_uid != 0 or status.st_mode & 0o022:
        raise DatabaseUnavailable(f"{_OPEN_PLACE} must belong to root and be writable for root alone")
    return _OPEN_PLACE


@contextlib.contextmanager
def locked_file(path: Path) -> Iterator[int]:
    """An open descriptor of a lock file, closed (and so unlocked) at the end."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnavailable(f"{path} cannot be used: {error.strerror}; whose data directory is it?") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a `flock` of `kind` (fcntl.LOCK_SH or LOCK_EX) if that is possible at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
