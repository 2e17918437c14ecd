"""Charges: money due for a stay or a deposit, and every try to take it, at most one of which succeeds."""
