"""Stays: built from scans, priced by the lot's tariff at entry."""
