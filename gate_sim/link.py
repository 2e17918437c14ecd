"""The line between a gate and the service, as bad as the scenario wants: down for a while, or losing an answer."""

from dataclasses import dataclass, field


class LinkDown(Exception):
    """The line was down, or the answer was lost; the gate cannot tell which."""


@dataclass(slots=True)
class Link:
    """Windows and instants in unix milliseconds of the virtual clock."""

    offline: list[tuple[int, int]] = field(default_factory=list)
    # Each instant costs one answer: the first upload at or after it arrives, its answer does not.
    answers_lost_at_ms: list[int] = field(default_factory=list)

    def is_up(self, at_ms: int) -> bool:
        """Whether a request sent now would arrive."""
        return not any(start <= at_ms < end for start, end in self.offline)

    def loses_answer(self, at_ms: int) -> bool:
        """Whether the answer to an upload sent now gets lost; asking uses the loss up."""
        due = [instant for instant in self.answers_lost_at_ms if instant <= at_ms]
        if due:
            self.answers_lost_at_ms.remove(min(due))
        return bool(due)
