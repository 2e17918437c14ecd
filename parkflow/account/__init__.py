"""Accounts: a driver's phone, log-in by one-time code, sessions and plates."""
