"""Answers of the channel, what may go wrong on their way, and refusals."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Fault(Enum):
    """What becomes of an answer."""

    SILENCE = "silence"  # the caller waits until it gives up
    ERROR = "error"  # a 500 of some proxy, unsigned
    TRUNCATED = "truncated"  # the connection breaks in the middle of the body
    UNSIGNED = "unsigned"  # complete, but nobody signed it


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a JSON body, and the fault that meets it."""

    status: int
    body: dict[str, Any]
    fault: Fault | None = None


class Refused(Exception):
    """The channel does not take a request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, {"code": code, "message": message})


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises Refused."""
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise Refused(400, "param_error", "the body is JSON") from error
    if not isinstance(fields, dict):
        raise Refused(400, "param_error", "the body is a JSON object")
    return fields


def text(fields: dict[str, Any], name: str) -> str:
    """A non-empty text field of at most 200 characters. Raises Refused."""
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise Refused(400, "param_error", f"{name} is a text")
    return value


def whole(fields: dict[str, Any], name: str) -> int:
    """A whole number that fits 63 bits and is not negative. Raises Refused."""
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise Refused(400, "param_error", f"{name} is a whole number")
    return value
