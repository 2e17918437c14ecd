"""A gate as a process: reads what the lane says, decides at once, and meanwhile uploads, beats and polls on its own."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from gate_sim.backoff import Backoff
from gate_sim.gate import Decision, Gate
from gate_sim.http import Client
from gate_sim.link import LinkDown
from gate_sim.uplink import UplinkRefused
from parkflow import core

# Under the minute after which proxies and phone networks like to cut silent connections; the service waits as long.
POLL_SECONDS: Final = 55
# A service that answers sooner than this with nothing new does not wait, and is asked by the minute.
_WAITED_SECONDS: Final = 5
_NEXT_POLL_SECONDS: Final = 1
_CODE_PREFIX: Final = "PF1:"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a gate has around it: its clock (unix milliseconds), its line, where it answers, and where it reports."""

    now_ms: Callable[[], int]
    client: Client
    answer: Say
    report: Say


class Agent:
    """One gate with a loop for each thing it does. `interval_seconds` lies between two regular uploads."""

    def __init__(self, gate: Gate, around: Surroundings, dice: random.Random, *, interval_seconds: float = 60) -> None:
        self._gate = gate
        self._around = around
        self._dice = dice
        self._interval_seconds = interval_seconds

    async def run(self, lines: "asyncio.Queue[str | None]") -> None:
        """Until the lane says no more (None); then what is left is sent once more, if the line is up."""
        loops = [asyncio.create_task(self._again_and_again(one)) for one in (self._upload, self._poll)]
        try:
            while (line := await lines.get()) is not None:
                self._around.answer(json.dumps(self._obey(line), ensure_ascii=False))
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
        await self._upload()

    def _obey(self, line: str) -> dict[str, Any]:
        """What one line of the lane asks for; see `gate-sim gate --help`."""
        word, _, rest = line.strip("\r\n").partition(" ")
        gate, at_ms = self._gate, self._around.now_ms()
        if word.startswith(_CODE_PREFIX):
            return _shown(gate.show(line.strip("\r\n"), at_ms=at_ms))
        match word:
            case "code":
                return _shown(gate.show(rest, at_ms=at_ms))
            case "plate":
                return _shown(gate.see_plate(rest, at_ms=at_ms))
            case "ticket":
                return _shown(gate.take_ticket(rest, at_ms=at_ms))
            case "lift":
                return self._lift(rest, at_ms)
            case "status":
                return self._status()
            case _:
                return {"error": "a line begins with code, plate, ticket, lift or status"}

    def _lift(self, rest: str, at_ms: int) -> dict[str, Any]:
        staff, _, code = rest.partition(" ")
        try:
            return _shown(self._gate.lift(staff, at_ms=at_ms, code=code or None))
        except ValueError as error:
            return {"error": str(error)}

    def _status(self) -> dict[str, Any]:
        journal, clock = self._gate.journal, self._gate.uplink.clock
        return {
            "gate": self._gate.post.gate,
            "epoch": journal.epoch,
            "last_seq": journal.last_seq,
            "waiting": journal.waiting,
            "takes_more": journal.takes_more(),
            "bundle_version": self._gate.core.bundle_version,
            "offset_ms": clock.offset_ms,
            "offset_doubt_ms": clock.doubt_ms,
        }

    async def _again_and_again(self, turn: Callable[[], Awaitable[float | LinkDown]]) -> None:
        """Take turns for ever: each says when the next one is due, or why it failed."""
        backoff = Backoff(random.Random(self._dice.getrandbits(64)))
        while True:
            came = await turn()
            if isinstance(came, LinkDown):
                pause_seconds = backoff.after_failure(came.retry_after_s)
                self._around.report(f"{came}; again in {pause_seconds:.1f} s")
            else:
                pause_seconds = backoff.after_success(came)
            await asyncio.sleep(pause_seconds)

    async def _upload(self) -> float | LinkDown:
        """Send what is not acknowledged, then tell how far the journal goes: in this order nothing looks lost."""
        uplink, client = self._gate.uplink, self._around.client
        try:
            results = await uplink.upload(client, at_ms=self._around.now_ms())
            if results:
                self._around.report(f"uploaded: {json.dumps(dict(sorted(results.items())))}")
            if uplink.upload_failure is None:
                await uplink.heartbeat(client, at_ms=self._around.now_ms())
        except UplinkRefused as refusal:
            # Somebody has to look at it. Nothing is thrown away, and it is tried again later and later.
            return LinkDown(f"refused: {refusal}")
        return uplink.upload_failure or self._interval_seconds

    async def _poll(self) -> float | LinkDown:
        """Wait at the service for the next bundle."""
        gate, loop = self._gate, asyncio.get_running_loop()
        asked, before = loop.time(), gate.core.bundle_version
        try:
            at_ms = self._around.now_ms()
            if not await gate.uplink.refresh_bundle(self._around.client, at_ms=at_ms, wait_seconds=POLL_SECONDS):
                return gate.uplink.poll_failure or LinkDown()
        except (UplinkRefused, core.BundleError) as refusal:
            return LinkDown(f"bundle refused: {refusal}")
        if gate.core.bundle_version != before:
            self._around.report(f"bundle {gate.core.bundle_version}")
            return _NEXT_POLL_SECONDS
        return _NEXT_POLL_SECONDS if loop.time() - asked > _WAITED_SECONDS else self._interval_seconds


def _shown(decision: Decision) -> dict[str, Any]:
    event = decision.event
    return {
        "opened": decision.opened,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "flag": decision.flag,
        "zh": decision.display.zh,
        "en": decision.display.en,
        "epoch": None if event is None else event.epoch,
        "seq": None if event is None else event.seq,
    }
