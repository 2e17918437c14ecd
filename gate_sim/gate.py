"""A gate: decides at the lane without a network, writes down what it decided, then opens the barrier."""

from dataclasses import dataclass
from pathlib import Path

from gate_sim.bundle import Bundle, BundleShelf
from gate_sim.journal import Journal
from gate_sim.link import Link
from gate_sim.uplink import Uplink
from parkflow import core

REPLAY_CAPACITY = 4096


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
    """What happened at the lane: the name of the verdict and whether the barrier opened."""

    verdict: str
    opened: bool


class Gate:
    """One gate with its disk (`folder`) and its line to the service. Times are the gate's, in unix milliseconds."""

    def __init__(self, post: Post, folder: Path, *, now_ms: int) -> None:
        self.post = post
        self.link = Link()
        self.journal = Journal(folder / f"{post.gate}.journal", now_s=now_ms // 1000)
        self.shelf = BundleShelf(folder / f"{post.gate}.bundle", root_key=post.root_key, lot=post.lot)
        self.uplink = Uplink(post.gate, post.secret, self.journal, self.shelf, self.link)
        self._replay = core.ReplayCache(REPLAY_CAPACITY)

    def show(self, code: str, *, at_ms: int) -> Decision:
        """Decide about a code held under the reader. It is in the journal when this returns, whatever the verdict."""
        verdict, opened = self._decide(code, at_ms // 1000)
        content: dict[str, object] = {
            "at_ms": at_ms,
            "lane": self.post.lane,
            "direction": self.post.direction,
            "medium": "code",
            "code": code,
            "verdict": verdict,
        }
        self.journal.append(content)
        return Decision(verdict, opened)

    def _decide(self, code: str, now_s: int) -> tuple[str, bool]:
        bundle = self.shelf.current
        if bundle is None:
            return "no_bundle", False
        leaving = self.post.direction == "exit"
        if bundle.expires_at_s <= now_s and not leaving:
            return "bundle_expired", False
        if leaving and bundle.exit_denied == "accept":
            return self._let_out(code, now_s, bundle)
        verdict = core.verify_code(
            code, now_s=now_s, keys=bundle.keys, policy=bundle.policy, deny=bundle.denied, replay=self._replay
        )
        return verdict.name, verdict.accepted

    def _let_out(self, code: str, now_s: int, bundle: Bundle) -> tuple[str, bool]:
        """A car that is inside is never trapped: a denied card goes out, is flagged, and pays like any other."""
        verdict = core.verify_code(code, now_s=now_s, keys=bundle.keys, policy=bundle.policy, replay=self._replay)
        if verdict.accepted and verdict.subject is not None and verdict.subject in bundle.denied:
            return "denied", True
        return verdict.name, verdict.accepted
