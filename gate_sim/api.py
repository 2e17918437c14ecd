"""Calls of the service's JSON API by people and machines without a signature: drivers and operators."""

import asyncio
import json
from typing import Any

from gate_sim.http import Client, NoAnswer, Reply

# A service that is restarting is back within seconds; people press the button again.
_TRIES_MAX = 60
_PAUSE_SECONDS = 0.25
_SERVICE_UNAVAILABLE = 503


class ApiRefusal(Exception):
    """The service said no: `code` is the stable code of its problem document (RFC 9457), `status` the HTTP status."""

    def __init__(self, *, status: int, code: str, detail: str, call: str) -> None:
        super().__init__(f"{call}: {status} {code}: {detail}")
        self.status = status
        self.code = code


async def call(
    client: Client,
    method: str,
    path: str,
    content: object | None = None,
    *,
    token: str | None = None,
) -> dict[str, Any]:
    """One call; the JSON object of the answer, empty for none. Raises ApiRefusal.

    A call that got no answer is made again: every call of the API may be repeated.
    """
    headers = {"content-type": "application/json"} if content is not None else {}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    body = b"" if content is None else json.dumps(content).encode()
    for left in range(_TRIES_MAX - 1, -1, -1):
        try:
            answer = await client.request(method, path, body=body, headers=headers)
        except NoAnswer:
            if not left:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        if answer.status == _SERVICE_UNAVAILABLE and left:
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        return _content(answer, f"{method} {path}")
    raise AssertionError("the loop above returns or raises")


def _content(answer: Reply, call_name: str) -> dict[str, Any]:
    try:
        content = answer.json() if answer.body else {}
    except ValueError:
        content = {"detail": answer.body[:200].decode(errors="replace")}
    if answer.is_success:
        return content if isinstance(content, dict) else {"items": content}
    raise ApiRefusal(
        status=answer.status,
        code=str(content.get("code", "no_code")),
        detail=str(content.get("detail", "")),
        call=call_name,
    )
