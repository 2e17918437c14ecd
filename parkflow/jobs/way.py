"""Giving way: work that may wait leaves the database to what cannot, but for a bounded time."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from parkflow.kit.clock import Clock

# A word of pressure holds for seconds; asking at each step of each pass would cost more than it saves.
_ASK_AGAIN_NS: Final = 250_000_000
_SECOND_NS: Final = 1_000_000_000
_LOG = logging.getLogger(__name__)


async def never_pressed() -> bool:
    """Nothing else needs the database."""
    return False


@dataclass(slots=True)
class Way:
    """Whether steps that may wait do so now.

    pressed: whether something that cannot wait needs the database. seconds_max: from the first step that waited, for so
    long at most; after that nothing waits until all that was left is done, so that pressure which comes and goes cannot
    put work off for longer.
    """

    clock: Clock
    pressed: Callable[[], Awaitable[bool]] = never_pressed
    seconds_max: int = 0
    _behind_since_ns: int | None = field(default=None, init=False)
    _asked_ns: int | None = field(default=None, init=False)
    _was_pressed: bool = field(default=False, init=False)

    async def is_given(self) -> bool:
        """Whether a step that may wait has to wait now."""
        now_ns = self.clock.monotonic_ns()
        since_ns = self._behind_since_ns
        if since_ns is not None and now_ns - since_ns >= self.seconds_max * _SECOND_NS:
            return False
        if self._asked_ns is None or now_ns - self._asked_ns >= _ASK_AGAIN_NS:
            self._asked_ns = now_ns
            self._was_pressed = self.seconds_max > 0 and await self._is_pressed()
        if self._was_pressed and since_ns is None:
            self._behind_since_ns = now_ns
            _LOG.info("uploads wait in number: stays and charges give way, for at most %d s", self.seconds_max)
        return self._was_pressed

    def note_caught_up(self) -> None:
        """Nothing is left to do: what waits next has not waited yet."""
        if self._behind_since_ns is not None:
            seconds = (self.clock.monotonic_ns() - self._behind_since_ns) / _SECOND_NS
            _LOG.info("stays and charges are up to date again, %.0f s after they gave way", seconds)
        self._behind_since_ns = None

    async def _is_pressed(self) -> bool:
        try:
            return await self.pressed()
        except Exception:
            # Then nothing waits; the steps find out themselves what is wrong, and back off.
            _LOG.exception("the look for pressure failed")
            return False
