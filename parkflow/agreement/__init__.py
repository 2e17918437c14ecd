"""Agreements: a driver's standing permission at a channel to be deducted."""
