"""When a gate tries again: exponentially later, scattered by its seed, and never before the service allows it."""

import random
from typing import Final

# The first pause is a second, each one after it twice as long.
# Longer than this the service does not wait for what an idle gate could have sent.
_LONGEST_SECONDS: Final = 300.0
_DOUBLINGS_MAX: Final = 16


class Backoff:
    """The pauses of one gate; a thousand of them that lost one service do not come back at one moment."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.failures = 0

    def after_failure(self, retry_after_s: int = 0) -> float:
        """Seconds to wait after one more failure; `retry_after_s` is what the service asked for."""
        longest = min(_LONGEST_SECONDS, float(1 << min(self.failures, _DOUBLINGS_MAX)))
        self.failures += 1
        # Between half and all of it; behind a Retry-After as well, which all gates were told alike.
        return retry_after_s + longest * self._dice.uniform(0.5, 1.0)

    def after_success(self, interval_s: float) -> float:
        """Seconds to the next regular turn, scattered by a tenth so that gates do not fall into step."""
        self.failures = 0
        return interval_s * self._dice.uniform(0.9, 1.0)
