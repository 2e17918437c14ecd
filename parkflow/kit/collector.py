"""Python's collector of cycles, set for processes that make many objects and hardly a cycle."""

import gc
from typing import Final

# A batch of scans makes a hundred thousand objects and no cycle; looking for cycles after each 700, as usual, took
# a fifth of a worker's time and a sixteenth of the service's.
_OBJECTS_BETWEEN_LOOKS: Final = 100_000


def settle_collector() -> None:
    """Look for cycles seldom, and never among what is loaded by now, which stays until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
