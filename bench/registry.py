"""Which benchmarks there are: an area is a function that returns its figures."""

import time
from collections.abc import Callable
from typing import Final

Figures = dict[str, float]
AREAS: Final[dict[str, Callable[[], Figures]]] = {}


def area(name: str) -> Callable[[Callable[[], Figures]], Callable[[], Figures]]:
    """Register a function under an area's name; its figures are then called `<area>.<name>`."""

    def register(measure: Callable[[], Figures]) -> Callable[[], Figures]:
        assert name not in AREAS, f"two benchmarks are named {name}"
        AREAS[name] = measure
        return measure

    return register


def per_second(work: Callable[[], object], *, items: int, rounds: int = 5) -> float:
    """Items a second in the best of some rounds: others on the machine only ever make a round slower."""
    work()
    return items / min(_seconds(work) for _ in range(rounds))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
