"""Everything a simulation draws comes from one seed, by name, so that order of work changes nothing."""

import hashlib
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seed:
    """A number and the names drawn under it: the same name always gives the same bytes."""

    number: int

    def key(self, *names: str) -> bytes:
        """32 bytes for `names`, usable as an Ed25519 secret (RFC 8032 takes any 32 bytes)."""
        return hashlib.sha256("\0".join((str(self.number), *names)).encode()).digest()

    def dice(self, *names: str) -> random.Random:
        """A generator of its own for `names`."""
        return random.Random(self.key(*names))
