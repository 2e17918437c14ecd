"""Benchmarks: `python -m bench [--only codes,tariffs]`."""
