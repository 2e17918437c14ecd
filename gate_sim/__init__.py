"""Simulated phones, gates and a payment channel that talk to parkflow over HTTP, all from one seed."""
