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
# In the server and so in one step and one round trip: uploads of gates wait for it.
_TAKE: Final = """
redis.call('zremrangebyscore', KEYS[1], '-inf', ARGV[1])
if redis.call('zcard', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('zadd', KEYS[1], ARGV[3], ARGV[4])
redis.call('pexpire', KEYS[1], ARGV[5])
return 1
"""


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
        self._take = self._valkey.register_script(_TAKE)

    async def take(self, key: str, *, limit: int, window: timedelta, now: datetime) -> bool:
        score = _microseconds(now)
        span = window // timedelta(microseconds=1)
        arguments = (score - span, limit, score, secrets.token_bytes(8), span // 1000 + 1)
        try:
            return bool(await self._take(keys=[_PREFIX + key], args=arguments))
        except (RedisError, OSError, TimeoutError) as error:
            raise LimitsUnavailable from error

    async def sweep(self, now: datetime) -> None:
        """Keys expire in the server."""

    async def aclose(self) -> None:
        await self._valkey.aclose()


def _microseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000 + instant.microsecond
