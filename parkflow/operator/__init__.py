"""Operators: the companies that run lots; their tokens, roles and the record of who looked at or changed what."""
