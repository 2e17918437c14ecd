"""HTTP as phones and gates speak it: JSON bodies over kept connections, and one word for every way to get no answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from yarl import URL

ANSWER_SECONDS: Final = 30
# Shorter than a server keeps an idle connection, so that a request does not meet the server's own hanging up.
_IDLE_SECONDS: Final = 4


class NoAnswer(Exception):
    """The connection failed or ended before the whole answer was there; the request may have had its effect."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; names of headers are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


@dataclass(slots=True)
class Client:
    """Requests to one service at `base_url` (`http://host:port`); any number at once, each on its own connection."""

    base_url: str
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        url = URL(self.base_url)
        if url.scheme != "http" or url.host is None or url.path.strip("/"):
            raise ValueError(f"an address looks like http://127.0.0.1:8000, not {self.base_url!r}")
        self.base_url = f"http://{url.authority}"

    async def request(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        answer_seconds: int | None = None,
    ) -> Reply:
        """Send one request; `target` is a path with query, or a whole address at this service. Raises NoAnswer.

        `answer_seconds` is for an answer that may take longer than others.
        """
        # What gates sign is the target as it is on the wire, so it is taken as encoded already.
        url = URL(self.base_url + target.removeprefix(self.base_url), encoded=True)
        timeout = aiohttp.ClientTimeout(total=answer_seconds or ANSWER_SECONDS)
        sending = self._open().request(method, url, data=body, headers=headers, allow_redirects=False, timeout=timeout)
        try:
            async with sending as answer:
                return Reply(answer.status, answer.headers, await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(f"{method} {url.path}: {error!r}") from error

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _open(self) -> aiohttp.ClientSession:
        # A session belongs to the loop it is made in, so it is made at the first request.
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        return self._session
