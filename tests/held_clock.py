"""A clock that stands where a test puts it."""

from datetime import UTC, datetime, timedelta

from parkflow.kit.clock import SystemClock


class HeldClock(SystemClock):
    """Business time stands still until a test moves it; wall time and the monotonic clock are real."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._at

    def move_to(self, instant: datetime) -> datetime:
        """Put the clock to an instant, also an earlier one; returns it in UTC."""
        self._at = instant.astimezone(UTC)
        return self._at

    def advance(self, **duration: int) -> datetime:
        """Move on by `seconds=…, minutes=…, hours=…, days=…`; returns the new now."""
        return self.move_to(self._at + timedelta(**duration))
