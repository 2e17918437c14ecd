"""Calls of the service's JSON API by people and machines without a signature: drivers and operators."""

import asyncio
from typing import Any

import httpx

# A service that is restarting is back within seconds; people press the button again.
_TRIES_MAX = 60
_PAUSE_SECONDS = 0.25


class ApiRefusal(Exception):
    """The service said no: `code` is the stable code of its problem document (RFC 9457), `status` the HTTP status."""

    def __init__(self, *, status: int, code: str, detail: str, call: str) -> None:
        super().__init__(f"{call}: {status} {code}: {detail}")
        self.status = status
        self.code = code


async def call(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    content: object | None = None,
    *,
    token: str | None = None,
) -> dict[str, Any]:
    """One call; the JSON object of the answer, empty for none. Raises ApiRefusal.

    A call that got no answer is made again: every call of the API may be repeated.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    for left in range(_TRIES_MAX - 1, -1, -1):
        try:
            answer = await client.request(method, path, json=content, headers=headers)
        except httpx.TransportError:
            if not left:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and left:
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        return _content(answer, f"{method} {path}")
    raise AssertionError("the loop above returns or raises")


def _content(answer: httpx.Response, call_name: str) -> dict[str, Any]:
    try:
        content = answer.json() if answer.content else {}
    except ValueError:
        content = {"detail": answer.text[:200]}
    if answer.is_success:
        return content if isinstance(content, dict) else {"items": content}
    raise ApiRefusal(
        status=answer.status_code,
        code=str(content.get("code", "no_code")),
        detail=str(content.get("detail", "")),
        call=call_name,
    )
