"""Figures of this process for Prometheus, and the middleware that counts requests."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parkflow.views.figures import Figures

REQUESTS: Final = Counter("parkflow_http_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "parkflow_http_request_seconds",
    "Time from the request to the end of its answer.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
SCANS: Final = Counter("parkflow_scans_total", "Uploaded scans by what became of them.", ["result"])
CREDENTIALS: Final = Counter("parkflow_credentials_total", "Credentials asked for, by outcome.", ["result"])

# Of the whole database, read when Prometheus asks; see views/figures.sql.
ATTEMPTS: Final = Gauge("parkflow_attempts", "Attempts by state.", ["state"])
CHARGES_OPEN: Final = Gauge("parkflow_charges_open", "Charges that are not paid yet, by state.", ["state"])
ARREARS_OPEN: Final = Gauge("parkflow_arrears_open", "Charges in arrears that are not cleared.")
ARREARS_OPEN_MINOR: Final = Gauge("parkflow_arrears_open_minor", "Their sum in minor units.", ["currency"])
WORKER_LAG_SECONDS: Final = Gauge(
    "parkflow_worker_lag_seconds", "Business time since the instant up to which the foremost worker has done all."
)

# A path that matches no route is counted under one name, or a scanner could make any number of series.
_NO_ROUTE: Final = "none"


class Counted:
    """ASGI middleware that counts requests and their time by method and route template, never by path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_seconds = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            method, route = scope["method"], getattr(scope.get("route"), "path", _NO_ROUTE)
            REQUESTS.labels(method, route, str(status)).inc()
            REQUEST_SECONDS.labels(method, route).observe(time.perf_counter() - begun_seconds)


def show(figures: Figures, now: datetime) -> None:
    """Set the gauges of the whole database."""
    _replace(ATTEMPTS, figures.attempts)
    _replace(CHARGES_OPEN, figures.open_charges)
    _replace(ARREARS_OPEN_MINOR, {currency: open_.amount_minor for currency, open_ in figures.arrears.items()})
    ARREARS_OPEN.set(sum(open_.charges for open_ in figures.arrears.values()))
    if figures.caught_up_to is not None:
        WORKER_LAG_SECONDS.set(max(0.0, (now - figures.caught_up_to).total_seconds()))


def _replace(gauge: Gauge, values: Mapping[str, int]) -> None:
    gauge.clear()
    for label, value in values.items():
        gauge.labels(label).set(value)
