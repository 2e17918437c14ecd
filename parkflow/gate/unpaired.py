"""What pairing needs to know of scans; values only."""

from datetime import datetime
from typing import Final, NamedTuple

AWAITING_ENTRY: Final = "awaiting_entry"
AWAITING_EXIT: Final = "awaiting_exit"
AWAITING_OPERATOR: Final = "awaiting_operator"
REPEATED: Final = "repeated"
MISSING_ENTRY: Final = "missing_entry"
REJECTED_BY_OPERATOR: Final = "rejected_by_operator"


class Group(NamedTuple):
    """A card in a lot: the scans of one group are paired with each other."""

    bucket: int
    card_id: int
    lot_id: int


class ScanKey(NamedTuple):
    """The key of a scan."""

    bucket: int
    gate_id: int
    epoch: int
    seq: int


class PairedScan(NamedTuple):
    """A scan that pairing places: one that waits, or one that has a place and may get another.

    earliest_at, latest_at: between which instants the passage really was, where the gate's clock was in doubt.
    stay_id: of which stay it is an end.
    """

    key: ScanKey
    group: Group
    direction: str
    scanned_at: datetime
    state: str
    reason: str | None
    medium: str = "code"
    earliest_at: datetime | None = None
    latest_at: datetime | None = None
    stay_id: int | None = None

    @property
    def event(self) -> tuple[int, int, int]:
        """Gate, epoch and seq."""
        return self.key[1:]

    @property
    def is_doubtful(self) -> bool:
        return self.earliest_at is not None

    @property
    def first_at(self) -> datetime:
        """The earliest instant at which it may have been."""
        return self.scanned_at if self.earliest_at is None else self.earliest_at

    @property
    def last_at(self) -> datetime:
        """The latest instant at which it may have been."""
        return self.scanned_at if self.latest_at is None else self.latest_at

    @property
    def at(self) -> datetime:
        """The instant that counts; in doubt the one that is best for the driver."""
        return self.last_at if self.direction == "entry" else self.first_at

    @property
    def waits(self) -> bool:
        """Whether it has no place yet."""
        return self.state in ("received", "held")
