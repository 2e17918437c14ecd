"""A gate: decides at the lane without a network, writes down what it decided, then opens the barrier.

The decision about a code is the gate library's, the very code that runs in real gates. Nothing opens without a record:
a gate whose journal takes no more stays shut, at exits too, and asks for staff, who can raise the barrier by hand.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gate_sim.display import JOURNAL_FULL, LIFTED, MEDIUM_NOT_ENABLED, NOTHING_READ, Line, line_of
from gate_sim.http import Client
from gate_sim.journal import Event, Journal, JournalFull
from gate_sim.link import Link
from gate_sim.signature import Signer
from gate_sim.uplink import PATIENT, Habits, Uplink
from gate_sim.wire import id_number
from parkflow import core

# As many passages as a power cut may have wiped from memory while their codes were still good.
_PASSAGES_RECALLED_MAX: Final = 1_000
# No QR code holds more; what is longer was never shown to a camera, and the service refuses a batch that has it.
_TEXT_BYTES_MAX: Final = 4_296
_STAFF_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Post:
    """Where a gate stands and who it is; `secret` is its own Ed25519 key, `root_key` the operator's public one.

    `opens_for` names the media besides codes for which the barrier opens by itself: `plate`, `ticket`.
    """

    gate: str
    lot: str
    lane: str
    direction: str
    secret: bytes
    root_key: bytes
    opens_for: tuple[str, ...] = ("plate", "ticket")


@dataclass(frozen=True, slots=True)
class Decision:
    """What happened at the lane: the verdict as it is sent, whether the barrier opened, and what was flagged.

    `reason` says why (a name of `core.GATE_REASONS` or of `display.OWN_REASONS`), `display` says it to the driver, and
    `event` is the record; only a gate that cannot write has none.
    """

    verdict: str
    opened: bool
    reason: str
    display: Line
    flag: str | None = None
    event: Event | None = None


class Gate:
    """One gate with its disk (`folder`) and its line to the service. Times are the gate's, in unix milliseconds."""

    def __init__(self, post: Post, folder: Path, *, now_ms: int, habits: Habits = PATIENT) -> None:
        self.post = post
        self.link = Link()
        self.journal = Journal(folder / f"{post.gate}.journal", now_s=now_ms // 1000)
        self.core = core.Gate(post.root_key, id_number(post.lot), id_number(post.lane), folder=folder, stem=post.gate)
        self.core.load()
        self._recall_passages()
        self.uplink = Uplink(Signer(post.gate, post.secret), self.journal, self.core, self.link, habits)

    def show(self, code: str, *, at_ms: int) -> Decision:
        """Decide about a code held under the reader. It is in the journal when this returns, whatever the verdict."""
        return self._write_down("code", code, self._judged(code, at_ms), at_ms)

    async def show_online(self, client: Client, code: str, *, at_ms: int) -> Decision:
        """Like `show`; but before a card is refused only because the filter hits it, the service is asked."""
        decided = self.core.decide(code, self.post.direction, now_s=at_ms // 1000)
        if not decided.opens and not decided.certain and decided.code is not None:
            subject = decided.code.credential.subject
            denied = await self.uplink.ask_denied(client, kid=decided.code.credential.kid, subject=subject, at_ms=at_ms)
            if denied is False:
                self.core.clear(subject)
        return self.show(code, at_ms=at_ms)

    def see_plate(self, plate: str, *, at_ms: int) -> Decision:
        """A car stands at the barrier and the plate reader says this; who it is, the service knows."""
        return self._write_down("plate", plate, self._by_medium("plate", plate), at_ms)

    def take_ticket(self, ticket: str, *, at_ms: int) -> Decision:
        """A paper ticket of this number was given out (at an entry) or taken in (at an exit)."""
        return self._write_down("ticket", ticket, self._by_medium("ticket", ticket), at_ms)

    def lift(self, staff: str, *, at_ms: int, code: str | None = None) -> Decision:
        """`staff` raises the barrier by hand; `code` is what the driver had shown, if anything.

        Raises ValueError for a name that is none of staff.
        """
        if not _STAFF_NAME.fullmatch(staff):
            raise ValueError(f"staff are named by 1 to 64 letters, digits, dots, dashes and underscores, not {staff!r}")
        if code is None:
            return self._write_down("lift", None, self._said(LIFTED, opened=True), at_ms, staff)
        decision = self._write_down("code", code, self._by_hand(self._judged(code, at_ms)), at_ms, staff)
        if decision.opened:
            self.core.note_passage(code, self.post.direction, at_ms // 1000)
        return decision

    def _judged(self, code: str, at_ms: int) -> Decision:
        if not self.journal.takes_more():
            # The gate library remembers whom it let through; nobody will be, so it is not asked.
            return self._said(JOURNAL_FULL, opened=False)
        decided = self.core.decide(code, self.post.direction, now_s=at_ms // 1000)
        decision = self._said(decided.name, opened=decided.opens)
        if not decided.opens or decided.outcome == "accept" or decided.name == "denied":
            return decision
        # A denied card that is let out keeps that verdict; other flags stand beside `accepted`.
        return replace(decision, verdict="accepted", flag=decided.name)

    def _by_medium(self, medium: str, text: str) -> Decision:
        if medium not in self.post.opens_for:
            return self._said(MEDIUM_NOT_ENABLED, opened=False)
        if not text.strip():
            return self._said(NOTHING_READ, opened=False)
        return self._said("accepted", opened=True)

    def _by_hand(self, decision: Decision) -> Decision:
        """The verdict stays what it was; the barrier opens all the same."""
        if decision.reason == JOURNAL_FULL:
            return decision
        return replace(
            decision, opened=True, display=line_of(decision.reason, direction=self.post.direction, opened=True)
        )

    def _said(self, reason: str, *, opened: bool) -> Decision:
        return Decision(reason, opened, reason, line_of(reason, direction=self.post.direction, opened=opened))

    def _write_down(
        self, medium: str, text: str | None, decision: Decision, at_ms: int, staff: str | None = None
    ) -> Decision:
        if decision.reason == JOURNAL_FULL:
            return decision
        content: dict[str, object] = {
            "at_ms": at_ms,
            "lane": self.post.lane,
            "direction": self.post.direction,
            "medium": medium,
            "verdict": decision.verdict,
        }
        if text is not None:
            content[medium] = _as_read(text)
        if decision.flag is not None:
            content["flag"] = decision.flag
        if staff is not None:
            content |= {"manual": True, "lifted_by": staff}
        try:
            return replace(decision, event=self.journal.append(content))
        except JournalFull:
            return self._said(JOURNAL_FULL, opened=False)

    def _recall_passages(self) -> None:
        """What the journal still holds was let through before this start; its codes are not taken again."""
        for event in self.journal.newest(_PASSAGES_RECALLED_MAX):
            content = event.content
            if "code" in content and (content["verdict"] in ("accepted", "denied") or "manual" in content):
                at_s = int(str(content["at_ms"])) // 1000
                self.core.note_passage(str(content["code"]), str(content["direction"]), at_s)


def _as_read(text: str) -> str:
    """What a reader gave, as text that JSON can carry, cut to what a reader can give."""
    return text.encode(errors="replace")[:_TEXT_BYTES_MAX].decode(errors="ignore")
