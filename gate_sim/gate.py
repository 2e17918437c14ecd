"""A gate: decides at the lane without a network, writes down what it decided, then opens the barrier.

The decision is the gate library's, the very code that runs in real gates.
"""

from dataclasses import dataclass
from pathlib import Path

from gate_sim.http import Client
from gate_sim.journal import Journal
from gate_sim.link import Link
from gate_sim.uplink import Uplink
from gate_sim.wire import id_number
from parkflow import core

# As many passages as a power cut may have wiped from memory while their codes were still good.
_PASSAGES_RECALLED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Post:
    """Where a gate stands and who it is; `secret` is its own Ed25519 key, `root_key` the operator's public one."""

    gate: str
    lot: str
    lane: str
    direction: str
    secret: bytes
    root_key: bytes


@dataclass(frozen=True, slots=True)
class Decision:
    """What happened at the lane: the name of the verdict, whether the barrier opened, and what was flagged."""

    verdict: str
    opened: bool
    flag: str | None = None


class Gate:
    """One gate with its disk (`folder`) and its line to the service. Times are the gate's, in unix milliseconds."""

    def __init__(self, post: Post, folder: Path, *, now_ms: int) -> None:
        self.post = post
        self.link = Link()
        self.journal = Journal(folder / f"{post.gate}.journal", now_s=now_ms // 1000)
        self.core = core.Gate(post.root_key, id_number(post.lot), id_number(post.lane), folder=folder, stem=post.gate)
        self.core.load()
        self._recall_passages()
        self.uplink = Uplink(post.gate, post.secret, self.journal, self.core, self.link)

    def show(self, code: str, *, at_ms: int) -> Decision:
        """Decide about a code held under the reader. It is in the journal when this returns, whatever the verdict."""
        return self._write_down(code, self._decide(code, at_ms), at_ms)

    async def show_online(self, client: Client, code: str, *, at_ms: int) -> Decision:
        """Like `show`; but before a card is refused only because the filter hits it, the service is asked."""
        decided = self._decide(code, at_ms)
        if not decided.opens and not decided.certain and decided.code is not None:
            subject = decided.code.credential.subject
            denied = await self.uplink.ask_denied(client, kid=decided.code.credential.kid, subject=subject, at_ms=at_ms)
            if denied is False:
                self.core.clear(subject)
                decided = self._decide(code, at_ms)
        return self._write_down(code, decided, at_ms)

    def _decide(self, code: str, at_ms: int) -> core.Decision:
        return self.core.decide(code, self.post.direction, now_s=at_ms // 1000)

    def _write_down(self, code: str, decided: core.Decision, at_ms: int) -> Decision:
        decision = _decision(decided)
        content: dict[str, object] = {
            "at_ms": at_ms,
            "lane": self.post.lane,
            "direction": self.post.direction,
            "medium": "code",
            "code": code,
            "verdict": decision.verdict,
        }
        if decision.flag is not None:
            content["flag"] = decision.flag
        self.journal.append(content)
        return decision

    def _recall_passages(self) -> None:
        """What the journal still holds was let through before this start; its codes are not taken again."""
        for event in self.journal.unacknowledged(_PASSAGES_RECALLED_MAX):
            if event.content["verdict"] in ("accepted", "denied"):
                at_s = int(str(event.content["at_ms"])) // 1000
                self.core.note_passage(str(event.content["code"]), self.post.direction, at_s)


def _decision(decided: core.Decision) -> Decision:
    """A denied card that is let out keeps that verdict; other flags stand beside `accepted`."""
    if not decided.opens or decided.outcome == "accept":
        return Decision(decided.name, decided.opens)
    if decided.name == "denied":
        return Decision("denied", True)
    return Decision("accepted", True, decided.name)
