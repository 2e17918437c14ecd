"""The demo: a real day of parking through the whole chain, with everything that goes wrong on it."""
