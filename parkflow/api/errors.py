"""Every error answer of the API: problem documents (RFC 9457) with a stable `code`, made in this one place."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from parkflow.db.tx import is_retryable
from parkflow.kit.errors import DatabaseUnavailable, ParkflowError

MEDIA_TYPE: Final = "application/problem+json"
_ISSUES_MAX: Final = 20
_RETRY_AFTER_SECONDS: Final = 1
_log = logging.getLogger("parkflow.api")

# Codes for what the framework refuses by itself, before any of our rules is asked.
_FRAMEWORK_CODES: Final = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "body_too_slow",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    503: "service_busy",
}
# Insufficient resources (class 53): a full disk, no memory, too many connections. They pass without a change of ours.
_EXHAUSTED: Final = "53"
_AWAY: Final = (OSError, TimeoutError, asyncpg.CannotConnectNowError)


def install(app: FastAPI) -> None:
    """Give `app` the handlers that turn every exception into a problem document."""
    app.add_exception_handler(ParkflowError, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(ClientDisconnect, _gone)
    for lost in (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        app.add_exception_handler(lost, _database)
    app.add_exception_handler(Exception, _defect)


def problem(
    *, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **members: object
) -> JSONResponse:
    """A problem document: {type, title, status, detail, code} and further members.

    `type` is relative to the API (RFC 9457 §3.1.1) and names the same thing as `code`; `title` is the status phrase.
    """
    body = {
        "type": f"/problems/{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def retry_after(error: ParkflowError) -> dict[str, str]:
    """The header that tells when to try again, where that helps."""
    seconds = error.retry_after_seconds or (_RETRY_AFTER_SECONDS if error.status == 503 else None)
    return {} if seconds is None else {"Retry-After": str(seconds)}


def problem_of(error: ParkflowError) -> JSONResponse:
    """The problem document of a refusal."""
    headers = retry_after(error)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(status=error.status, code=error.code, detail=error.message, headers=headers)


async def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ParkflowError)
    if error.status >= 500:
        _log.error("%s: %s", error.code, error.message)
    return problem_of(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    issues = [_issue(issue) for issue in error.errors()[:_ISSUES_MAX]]
    if any(issue["type"] == "json_invalid" for issue in error.errors()):
        return problem(status=400, code="malformed_json", detail=f"the body is not JSON: {issues[0]['message']}")
    first = issues[0]
    return problem(status=422, code="invalid_request", detail=f"{first['where']}: {first['message']}", errors=issues)


def _issue(issue: Any) -> dict[str, str]:
    # What was sent stays out of the answer: it may be a phone number or a key.
    place: Sequence[str | int] = issue["loc"]
    return {"where": ".".join(str(part) for part in place), "message": str(issue["msg"])}


async def _framework(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _FRAMEWORK_CODES.get(error.status_code, "refused")
    return problem(
        status=error.status_code,
        code=code,
        detail=_framework_detail(error),
        headers=dict(error.headers) if error.headers else None,
    )


def _framework_detail(error: HTTPException) -> str:
    match error.status_code:
        case 404:
            return "there is nothing at this address"
        case 405:
            return f"this address takes {(error.headers or {}).get('allow', 'another method')}"
        case _:
            return str(error.detail)


async def _gone(_request: Request, _error: Exception) -> Response:
    """The client left in the middle of its request; nobody reads this answer, and it is no defect of ours."""
    return problem(status=400, code="request_incomplete", detail="the request ended before its body did")


async def _database(request: Request, error: Exception) -> Response:
    """A lost or overloaded database is a 503 that may be tried again; any other database error is a defect."""
    if is_retryable(error) or _is_exhausted(error) or isinstance(error, _AWAY):
        _log.warning("database: %s", type(error).__name__)
        return problem_of(DatabaseUnavailable("the database does not answer; try again in a moment"))
    return await _defect(request, error)


def _is_exhausted(error: Exception) -> bool:
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "").startswith(_EXHAUSTED)


async def _defect(request: Request, error: Exception) -> Response:
    _log.error("defect in %s %s", request.method, request.scope.get("path"), exc_info=error)
    return problem(status=500, code="internal_error", detail="this is our mistake; it has been written to the log")
