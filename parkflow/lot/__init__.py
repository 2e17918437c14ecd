"""Lots and their lanes: where cars go in and out, and the lot's own rules."""
