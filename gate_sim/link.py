"""The line between a gate and the service, as bad as the scenario wants: down for a while, or losing an answer."""

from dataclasses import dataclass, field


class LinkDown(Exception):
    """The line was down, the answer was lost, or the service wants to be asked later, in `retry_after_s` seconds."""

    def __init__(self, why: str = "the line is down", *, retry_after_s: int = 0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


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
