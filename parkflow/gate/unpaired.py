"""What pairing needs to know of scans that belong to no stay yet; values only."""

from datetime import datetime
from typing import Final, NamedTuple

AWAITING_ENTRY: Final = "awaiting_entry"
AWAITING_EXIT: Final = "awaiting_exit"


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


class WaitingScan(NamedTuple):
    """A scan that belongs to no stay yet."""

    key: ScanKey
    group: Group
    operator_id: int
    direction: str
    scanned_at: datetime
    state: str
    reason: str | None
