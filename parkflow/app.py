"""The HTTP service as a whole: which routers it has and what stands around them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from fastapi import APIRouter, FastAPI

from parkflow.api import (
    arrears,
    channel,
    days,
    driver,
    driver_codes,
    driver_money,
    errors,
    gate,
    lot_channel,
    lot_qr,
    operator,
    operator_cards,
    operator_sightings,
    operator_stays,
    operator_tariffs,
    quotes,
    receipts,
    returns,
    system,
)
from parkflow.api.bounds import Bounds, known_room
from parkflow.api.metrics import Counted
from parkflow.gate.intake import Intake
from parkflow.gate.watch import BundleWatch
from parkflow.kit.errors import ParkflowError
from parkflow.services import Services

# The `/v1` of every path; a field is only ever added within it.
API_VERSION: Final = "1"
LIMITS_SWEEP_SECONDS: Final = 300
_log = logging.getLogger("parkflow.app")

# Every part of the API, in the order of its documentation.
ROUTERS: Final[tuple[APIRouter, ...]] = (
    channel.router,
    driver.router,
    driver_codes.router,
    driver_money.router,
    arrears.router,
    returns.router,
    gate.router,
    operator.router,
    operator_cards.router,
    operator_sightings.router,
    operator_stays.router,
    operator_tariffs.router,
    quotes.router,
    receipts.router,
    lot_channel.router,
    lot_qr.router,
    days.router,
    system.router,
)


def create_app(services: Services) -> FastAPI:
    """The application over services that the caller opened and closes."""
    app = FastAPI(
        title="parkflow",
        version=API_VERSION,
        summary="Leave the car park by QR code, pay later",
        lifespan=_lifespan,
        # Pages that load scripts from other hosts do not belong into a payment service; /openapi.json stays.
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.bundle_watch = BundleWatch(services.pool)
    app.state.intake = Intake(services)
    app.state.gates_room = known_room(services.settings)
    for router in ROUTERS:
        app.include_router(router)
    errors.install(app)
    app.add_middleware(Bounds, settings=services.settings, clock=services.clock)
    app.add_middleware(Counted)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    sweeping = asyncio.create_task(_sweep_limits(app.state.services))
    try:
        yield
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        await app.state.bundle_watch.aclose()
        await app.state.intake.aclose()


async def _sweep_limits(services: Services) -> None:
    while True:
        await asyncio.sleep(LIMITS_SWEEP_SECONDS)
        try:
            await services.limits.sweep(services.clock.now())
        except (ParkflowError, OSError) as error:
            _log.warning("limits not swept: %s", error)
