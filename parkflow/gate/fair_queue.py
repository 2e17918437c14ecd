"""Uploads that wait their turn: bounded, live ones before old ones, and fair among operators and their gates; pure."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

Item = TypeVar("Item")
# An operator may have less than three times waiting of what is still free: alone it gets three quarters of a line, and
# however much one sends, the uploads of another find room (dynamic thresholds, Choudhury and Hahne 1998).
_SHARE_OF_FREE: Final = 3


class TooMany(Exception):
    """One gate has as many uploads waiting as it may."""


class Full(Exception):
    """All uploads together are as many as may wait, or one operator's are as many as leave room for others'."""


@dataclass(slots=True)
class _Share(Generic[Item]):
    """What one of those who share has waiting, and how much it had so far."""

    had: int
    waiting: Any
    in_turn: bool = False


@dataclass(slots=True)
class _Turns(Generic[Item]):
    """Those who have something waiting, who had least first (start-time fair queueing, Goyal, Vin and Cheng 1996).

    Who comes anew begins where the others are: nobody saves up turns while they have nothing to send.
    """

    make: Callable[[], Any]
    shares: dict[Hashable, _Share[Item]] = field(default_factory=dict)
    order: list[tuple[int, int, Hashable]] = field(default_factory=list)
    now: int = 0
    ticket: int = 0

    def of(self, name: Hashable) -> Any:
        """Where to put what `name` has waiting; it has a turn from now on."""
        share = self.shares.setdefault(name, _Share(self.now, self.make()))
        if not share.in_turn:
            share.had = max(share.had, self.now)
            self._enter(name, share)
        return share.waiting

    def first(self) -> tuple[Hashable, Any]:
        """Whose turn it is, and what they have waiting."""
        self.now, _, name = self.order[0]
        return name, self.shares[name].waiting

    def charge(self, cost: int, *, goes_on: bool) -> None:
        """The first had so much; it goes on waiting for its next turn, or has nothing left."""
        _, _, name = heapq.heappop(self.order)
        share = self.shares[name]
        share.had += cost
        share.in_turn = False
        if goes_on:
            self._enter(name, share)
        else:
            # Forgotten, so that gates that come and go do not pile up.
            del self.shares[name]

    def _enter(self, name: Hashable, share: _Share[Item]) -> None:
        self.ticket += 1
        share.in_turn = True
        heapq.heappush(self.order, (share.had, self.ticket, name))


class Line(Generic[Item]):
    """Uploads of many gates, in turn by operator, then by gate, and in order of arrival within one gate.

    scans_max: how many scans may wait in all; an upload is taken while there is room for one scan. per_gate_max: how
    many uploads of one gate may wait.
    """

    def __init__(self, *, scans_max: int, per_gate_max: int) -> None:
        self.scans_max: Final = scans_max
        self.per_gate_max: Final = per_gate_max
        self.scans = 0
        self._scans_of: Counter[Hashable] = Counter()
        self._operators: _Turns[Item] = _Turns(lambda: _Turns(deque))

    def __bool__(self) -> bool:
        return self.scans > 0

    def put(self, item: Item, *, operator_id: int, gate_id: int, scans: int) -> None:
        """Let the upload wait. Raises TooMany, Full."""
        if self._scans_of[operator_id] >= _SHARE_OF_FREE * (self.scans_max - self.scans):
            raise Full
        gates = self._operators.of(operator_id)
        waiting: deque[tuple[Item, int]] = gates.of(gate_id)
        if len(waiting) >= self.per_gate_max:
            raise TooMany
        waiting.append((item, scans))
        self.scans += scans
        self._scans_of[operator_id] += scans

    def take(self, scans_max: int) -> list[Item]:
        """The next uploads: at least one, if any waits, and no more than `scans_max` scans beyond it."""
        taken: list[Item] = []
        left = scans_max
        while self.scans:
            operator_id, gates = self._operators.first()
            _, waiting = gates.first()
            item, scans = waiting[0]
            if taken and scans > left:
                break
            waiting.popleft()
            gates.charge(scans, goes_on=bool(waiting))
            self._operators.charge(scans, goes_on=bool(gates.order))
            taken.append(item)
            self.scans -= scans
            self._scans_of[operator_id] -= scans
            if not self._scans_of[operator_id]:
                del self._scans_of[operator_id]
            left -= scans
        return taken


@dataclass(slots=True)
class TwoLines(Generic[Item]):
    """A live line and one for old uploads: what is old fills what the live ones leave, and has a small share always.

    backlog_scans: that share of a turn, so that old uploads come through however much is live.
    """

    live: Line[Item]
    backlog: Line[Item]
    backlog_scans: int

    @property
    def scans(self) -> int:
        """How many scans wait."""
        return self.live.scans + self.backlog.scans

    def take(self, scans_max: int) -> list[Item]:
        """The next turn's uploads, live ones first."""
        kept = self.backlog_scans if self.backlog else 0
        before = self.live.scans
        taken = self.live.take(scans_max - kept) if self.live else []
        left = scans_max - (before - self.live.scans)
        # With nothing live waiting, a turn of old uploads stays short, as a live one may come at any moment.
        return taken + (self.backlog.take(min(left, scans_max // 2)) if self.backlog else [])
