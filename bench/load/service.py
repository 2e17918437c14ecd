"""The service under load: embedded servers with a data directory of their own, `parkflow serve`, `parkflow worker`."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.load.home import Home
from parkflow.db.migrate import migrate
from parkflow.demo.stack import Member, Stack, child_environment, free_port
from parkflow.servers import embedded_servers
from parkflow.settings import Settings, master_key

# Taking the money is another measurement: nothing falls due while the load lasts.
_ENVIRONMENT: Final = {"PARKFLOW_DEDUCT_DELAY_SECONDS": str(7 * 86_400)}
_MEMORY: Final = Path("/dev/shm")
_MEMORY_BYTES_MIN: Final = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Service:
    """The running service."""

    url: str
    api: Member
    worker: Member | None
    environment: Mapping[str, str]


@contextlib.contextmanager
def temporary_home() -> Iterator[Home]:
    """Fresh servers with the whole schema, gone with all their files at the end."""
    with contextlib.ExitStack() as stack:
        # PARKFLOW_BENCH_DIR: where the disk is that shall be measured, if the usual temporary folder is none.
        data_dir = Path(tempfile.mkdtemp(prefix="pf-load-", dir=os.environ.get("PARKFLOW_BENCH_DIR")))
        stack.callback(shutil.rmtree, data_dir, ignore_errors=True)
        # The servers' account must be able to enter.
        data_dir.chmod(0o755)
        outbox = Path(tempfile.mkdtemp(prefix="pf-load-", dir=_outbox_parent()))
        stack.callback(shutil.rmtree, outbox, ignore_errors=True)
        settings = Settings(data_dir=data_dir)
        servers = stack.enter_context(embedded_servers(settings))
        asyncio.run(migrate(servers.database_dsn))
        yield Home(data_dir, outbox, servers.database_dsn, master_key(settings))


@contextlib.asynccontextmanager
async def running(folder: Path, environment: Mapping[str, str], *, with_worker: bool = True) -> AsyncIterator[Service]:
    """The API, and the worker if wanted, for the time of the block; raises DemoFailed when they do not start."""
    stack = Stack(folder, child_environment(**{**_ENVIRONMENT, **environment}))
    try:
        port = free_port()
        api = stack.add("serve", "parkflow", "serve", "--port", str(port))
        url = f"http://127.0.0.1:{port}"
        await stack.answers(api, url, "/healthz")
        worker = stack.add("worker", "parkflow", "worker") if with_worker else None
        yield Service(url, api, worker, stack.environment)
    finally:
        stack.stop()


def _outbox_parent() -> Path | None:
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES_MIN
    return _MEMORY if roomy else None
