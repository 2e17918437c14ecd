"""Health, readiness and metrics."""

import asyncio
from typing import Final

import asyncpg
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from parkflow.api import metrics
from parkflow.api.context import Given, Now
from parkflow.db import migrate
from parkflow.kit.errors import DatabaseUnavailable
from parkflow.views import figures

READY_TIMEOUT_SECONDS: Final = 2

router = APIRouter(tags=["system"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is up; asks nothing of anyone."""
    return {"status": "up"}


@router.get("/readyz")
async def readyz(services: Given) -> dict[str, str]:
    """The database answers and has every migration; 503 otherwise."""
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS), services.pool.acquire() as conn:
            missing = await migrate.missing(conn)
    except asyncpg.UndefinedTableError as error:
        raise migrate.MigrationsMissing from error
    except (TimeoutError, OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable("the database does not answer") from error
    if missing:
        raise migrate.MigrationsMissing(f"the database lacks {len(missing)} migration(s): run `parkflow migrate`")
    return {"status": "ready"}


@router.get("/metrics")
async def prometheus(services: Given, now: Now) -> Response:
    """Prometheus text format."""
    async with services.pool.acquire() as conn:
        metrics.show(await figures.read(conn), now)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
