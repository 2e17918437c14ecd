"""A fleet at work: cars at gates along the clock, uploads over bad lines by the minute, and the books at the end."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gate_sim.batch import Stamp, batch_of
from gate_sim.driver import Driver
from gate_sim.fleet_log import FleetLog
from gate_sim.fleet_plan import FleetPlan, GatePlan, Visit
from gate_sim.gate import Decision, Gate
from gate_sim.http import Client
from gate_sim.link import LinkDown
from gate_sim.lossy_line import LossyLine
from gate_sim.seed import Seed
from gate_sim.uplink import UplinkRefused

TICK_SECONDS: Final = 5
_UPLOAD_SECONDS: Final = 60
_UPLOADS_AT_ONCE: Final = 16
# After the last car every line is good again; a gate that was cut off needs one round, a busy service some more.
_ROUNDS_MAX: Final = 30
# A driver whose clock is wrong sets it after this long, and shows the code again.
_PHONE_IS_SET_S: Final = 20
_CLOCK_REFUSALS: Final = frozenset({"code_stale", "code_from_future", "not_yet_valid"})
_PIECES_MAX: Final = 3
_STAFF: Final = "fleet-staff"


@dataclass(slots=True)
class FleetGate:
    """A gate with its plan and its line."""

    plan: GatePlan
    gate: Gate
    client: Client
    line: LossyLine


@dataclass(slots=True)
class FleetRun:
    """The gates and drivers of a plan at work. `begin_ms` is when second 0 was, by the service's clock."""

    plan: FleetPlan
    gates: Sequence[FleetGate]
    drivers: Sequence[Driver]
    log: FleetLog
    seed: Seed
    begin_ms: int
    refusals: Counter[str] = field(default_factory=Counter)
    # Stays of which both ends opened a barrier, by driver; and those who are inside.
    ended: Counter[str] = field(default_factory=Counter)
    # Drivers who were let out with nothing shown: what the service makes of their stays is its lots' policy.
    unclear: set[str] = field(default_factory=set)
    _inside: set[int] = field(default_factory=set)
    _set_phones: set[int] = field(default_factory=set)

    async def play(self, wait_until: Callable[[int], Awaitable[None]], seconds: int) -> None:
        """From second 0 on; `wait_until` lets time pass up to a second of the plan."""
        for one in self.gates:
            shift_ms = self.begin_ms + one.plan.skew_ms
            one.gate.link.offline += [(shift_ms + a * 1000, shift_ms + b * 1000) for a, b in one.plan.offline]
        visits = iter(self.plan.visits)
        visit = next(visits, None)
        for now_s in range(TICK_SECONDS, seconds + TICK_SECONDS, TICK_SECONDS):
            await wait_until(now_s)
            while visit is not None and visit.at_s <= now_s:
                self._visit(visit)
                visit = next(visits, None)
            turn = now_s // TICK_SECONDS
            due = [one for one in self.gates if (one.plan.number + turn) % (_UPLOAD_SECONDS // TICK_SECONDS) == 0]
            await self._each(due, lambda one, at_s=now_s: self._upload(one, at_s))  # type: ignore[misc]
        await self._drain(seconds)

    def acked(self) -> Mapping[tuple[str, int], int]:
        """Up to which seq the service says to have everything, by (gate, epoch)."""
        return {
            (one.gate.post.gate, epoch): seq
            for one in self.gates
            for epoch, seq in one.gate.uplink.acked_by_epoch.items()
        }

    def accepted(self, count: int) -> list[tuple[str, int]]:
        """Codes that opened a gate and that the service took, with when that was by the gate's clock."""
        names = [name for name, results in self.log.results.items() if results["accepted"] and name in self.log.events]
        contents = [self.log.events[name].content for name in sorted(names)[:count]]
        return [(str(content["code"]), int(str(content["at_ms"]))) for content in contents if "code" in content]

    def _visit(self, visit: Visit) -> None:
        one = self.gates[visit.gate]
        if visit.direction == "exit" and visit.stay not in self._inside:
            return
        decision = self._show(one, visit, visit.at_s)
        if not decision.opened and decision.verdict in _CLOCK_REFUSALS:
            self._set_phones.add(visit.phone)
            decision = self._show(one, visit, visit.at_s + _PHONE_IS_SET_S)
        if not decision.opened:
            self.refusals[decision.verdict] += 1
        if not decision.opened and visit.direction == "exit":
            # Nobody is trapped: whoever has the watch raises the barrier, with nothing shown.
            self.unclear.add(self.drivers[visit.phone].person.name)
            self._note(one, one.gate.lift(_STAFF, at_ms=self._gate_ms(one, visit.at_s + _PHONE_IS_SET_S)))
        if decision.opened and visit.direction == "entry":
            self._inside.add(visit.stay)
        elif decision.opened:
            self.ended[self.drivers[visit.phone].person.name] += 1

    def _show(self, one: FleetGate, visit: Visit, at_s: int) -> Decision:
        skew_s = 0 if visit.phone in self._set_phones else self.plan.phone_skews_s[visit.phone]
        code = self.drivers[visit.phone].phone.code_at(self.begin_ms // 1000 + at_s + skew_s)
        decision = one.gate.show(code, at_ms=self._gate_ms(one, at_s))
        self._note(one, decision)
        return decision

    def _note(self, one: FleetGate, decision: Decision) -> None:
        assert decision.event is not None, "the fleet has room on its disk"
        self.log.note_event(one.gate.post.gate, decision.event)

    def _gate_ms(self, one: FleetGate, at_s: int) -> int:
        return self.begin_ms + at_s * 1000 + one.plan.skew_ms

    async def _upload(self, one: FleetGate, at_s: int) -> None:
        at_ms = self._gate_ms(one, at_s)
        if one.plan.scrambles and one.gate.link.is_up(at_ms):
            await self._scramble(one, at_ms)
        with contextlib.suppress(UplinkRefused):
            await one.gate.uplink.upload(one.client, at_ms=at_ms)
            await one.gate.uplink.heartbeat(one.client, at_ms=at_ms)

    async def _scramble(self, one: FleetGate, at_ms: int) -> None:
        """Send what waits in overlapping pieces and in any order; the regular upload then sends it all again."""
        events = one.gate.journal.unacknowledged(2_000)
        dice = self.seed.dice("scramble", str(one.plan.number), str(at_ms - self.begin_ms))
        for start, end in _pieces(dice, len(events)):
            before = events[start - 1].hash if start else one.gate.journal.prev_hash()
            stamp = Stamp(at_ms, one.gate.uplink.clock, one.gate.core.bundle_version)
            batch = batch_of(events[start:end], before, stamp)
            with contextlib.suppress(LinkDown, UplinkRefused):
                await one.gate.uplink.send_once(one.client, batch, at_ms=at_ms)

    async def _drain(self, seconds: int) -> None:
        """Every line is good again: what is left is sent, and every gate says how far its journal goes."""
        for one in self.gates:
            one.gate.link.offline.clear()
            one.line.perfect = True
        for _ in range(_ROUNDS_MAX):
            await self._each(self.gates, lambda one: self._upload(one, seconds))
            if all(not one.gate.journal.waiting and not one.gate.uplink.upload_failure for one in self.gates):
                return

    async def _each(self, gates: Sequence[FleetGate], work: Callable[[FleetGate], Awaitable[None]]) -> None:
        turns = asyncio.Semaphore(_UPLOADS_AT_ONCE)

        async def one_turn(one: FleetGate) -> None:
            async with turns:
                await work(one)

        await asyncio.gather(*(one_turn(one) for one in gates))


def _pieces(dice: random.Random, count: int) -> list[tuple[int, int]]:
    """A few [start, end) of `count` events: they may overlap, repeat, and come in any order."""
    starts = [dice.randrange(count) for _ in range(_PIECES_MAX if count else 0)]
    return [(start, dice.randint(start + 1, count)) for start in starts]
