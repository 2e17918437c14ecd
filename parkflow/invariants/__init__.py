"""Invariants: what must never be false, each a figure that is 0 while all is well."""
