"""Limits counted in Valkey: a sorted set of uses per key, scored by business time."""

import secrets
from datetime import datetime, timedelta
from typing import Final

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from parkflow.limit.port import LimitsUnavailable

_TIMEOUT_SECONDS: Final = 2
_PREFIX: Final = "parkflow:limit:"


class ValkeyLimits:
    """Sliding windows that expire by themselves; what is lost with the server only makes limits forget."""

    def __init__(self, url: str) -> None:
        self._valkey = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            # Once, at once: a kept connection may be stale after a restart; who is away for longer has a stand-in.
            retry=Retry(NoBackoff(), 1),
        )

    async def take(self, key: str, *, limit: int, window: timedelta, now: datetime) -> bool:
        name, use = _PREFIX + key, secrets.token_bytes(8)
        score = _microseconds(now)
        try:
            async with self._valkey.pipeline(transaction=True) as pipe:
                pipe.zremrangebyscore(name, "-inf", score - window // timedelta(microseconds=1))
                # Count first and take back after: two racing callers may both be refused, never both be let through.
                pipe.zadd(name, {use: score})
                pipe.zcard(name)
                pipe.pexpire(name, window)
                answers = await pipe.execute()
            if answers[2] <= limit:
                return True
            await self._valkey.zrem(name, use)
        except (RedisError, OSError, TimeoutError) as error:
            raise LimitsUnavailable from error
        return False

    async def sweep(self, now: datetime) -> None:
        """Keys expire in the server."""

    async def aclose(self) -> None:
        await self._valkey.aclose()


def _microseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000 + instant.microsecond
