"""What every handler may ask for: the services of the process, and the business instant of the request."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from parkflow.gate.intake import Intake
from parkflow.gate.watch import BundleWatch
from parkflow.services import Services


async def services_of(request: Request) -> Services:
    """The services that `create_app` was given."""
    # Dependencies are coroutines even where they wait for nothing: a plain function would be sent to a thread.
    services: Services = request.app.state.services
    return services


Given = Annotated[Services, Depends(services_of)]
"""A handler's parameter `services: Given`."""


async def business_now(services: Given) -> datetime:
    """The instant of the request, read once."""
    return services.clock.now()


Now = Annotated[datetime, Depends(business_now)]
"""A handler's parameter `now: Now`."""


async def _watch(request: Request) -> BundleWatch:
    watch: BundleWatch = request.app.state.bundle_watch
    return watch


Watch = Annotated[BundleWatch, Depends(_watch)]
"""A handler's parameter `watch: Watch`."""


async def _intake(request: Request) -> Intake:
    intake: Intake = request.app.state.intake
    return intake


Uploads = Annotated[Intake, Depends(_intake)]
"""A handler's parameter `intake: Uploads`."""
