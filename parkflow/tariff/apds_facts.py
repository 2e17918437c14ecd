"""The facts that a tariff needs and APDS 4 does not hold: somebody says them, or the import says which are missing."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from parkflow.tariff.apds import ApdsRefused, Assumption, Loss, shown

# name -> (what may be said, what it means). The first words are shown to whoever has to say it.
FACTS: Final[Mapping[str, tuple[str, str]]] = {
    "timezone": (r"[A-Za-z0-9_+/-]{1,64}", "the zone of the place, such as Europe/London"),
    "grace": (r"none|<?\d{1,4}", "none, or the minutes that are free unless exceeded (10), or unless reached (<10)"),
    "cycle": (r"stay|\d{1,4}h|([01]\d|2[0-3]):[0-5]\d", "when prices and maxima start again: stay, 24h or 00:00"),
    "edge": (r"split|carry|total", "whether a unit ends with its period: split, carry or total"),
    "restart": (r"occurrence|cycle", "when the lines of a period start again: occurrence or cycle"),
    "values": (r"increments|cumulative", "what the values of lines without incrementPeriod are"),
    "sequence": (r"once", "once: lines without durations follow each other, each for one incrementPeriod"),
    "beyond": (r"free|last", "what is charged past the last durationEnd: free, or the last line again"),
    "mixed": (r"tiers", "tiers: flatRateTier and incrementingRate lines are steps of one scale"),
    "unit": (r"started", "started: a perUnit line charges each incrementPeriod that has started"),
    "min": (r"stay", "stay: the minimum is the least fee of the whole stay"),
    "tax": (r"included", "included: the values contain the tax"),
    "incomplete": (r"yes", "yes: import without the rules that the document says are missing"),
}


@dataclass
class Facts:
    """What was said, what was used of it, and what is missing."""

    said: Mapping[str, str]
    assumptions: list[Assumption] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    _missing: dict[str, str] = field(default_factory=dict)

    def ask(self, name: str, default: str, because: str = "APDS has no field for it") -> str:
        """What was said; the default only lets the import go on, so that one refusal names all that is missing."""
        if name not in self.said:
            self._missing[name] = because
            return default
        assumption = Assumption(f"{name}={self.said[name]}", because)
        if assumption not in self.assumptions:
            self.assumptions.append(assumption)
        return self.said[name]

    def lose(self, path: str, why: str) -> None:
        self.losses.append(Loss(path, why))

    def check(self) -> None:
        """Raises ApdsRefused when something is missing."""
        if self._missing:
            wanted = "; ".join(
                f"--assume {name}=… ({FACTS[name][1]}; {because})" for name, because in self._missing.items()
            )
            raise ApdsRefused(f"the document does not say everything; add {wanted}")


def facts_of(texts: Iterable[str]) -> Facts:
    """The facts of `NAME=VALUE` texts. Raises ApdsRefused."""
    said: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in FACTS:
            raise ApdsRefused(f"nothing is assumed about {shown(name)!r}; known: {', '.join(FACTS)}")
        if name in said or not re.fullmatch(FACTS[name][0], value):
            raise ApdsRefused(f"{name} is said once, as {FACTS[name][1]}")
        said[name] = value
    return Facts(said)
