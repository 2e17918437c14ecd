"""Refusals: errors a user may cause, each with a stable code, an HTTP status and one clear line."""

import re
from typing import ClassVar

_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class ParkflowError(Exception):
    """A refusal of parkflow.

    A subclass is named like the rule it defends and sets `code` (stable snake_case, the contract of the API) and
    `status` (HTTP). `message` is one line that says what would be right; left out, it is the first line of the
    subclass's docstring. `retry_after_seconds` is set where the same call may succeed after so long.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    retry_after_seconds: int | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        assert _CODE.fullmatch(cls.code), f"{cls.__name__}.code must be snake_case, is {cls.code!r}"
        assert 400 <= cls.status <= 599, f"{cls.__name__}.status must be an HTTP error status, is {cls.status}"

    def __init__(self, message: str | None = None) -> None:
        self.message = message if message is not None else _first_line(type(self))
        super().__init__(self.message)


class DatabaseUnavailable(ParkflowError):
    """The database does not answer: check PARKFLOW_DATABASE_URL, or leave it unset for the embedded server."""

    code = "database_unavailable"
    status = 503
    retry_after_seconds = 1


class NotFound(ParkflowError):
    """There is no such thing."""

    code = "not_found"
    status = 404


def _first_line(cls: type[ParkflowError]) -> str:
    return (cls.__doc__ or cls.code).strip().splitlines()[0]
