"""Credentials: enrolled devices, issuer keys, and the short-lived statements that let a phone make codes."""
