"""Reconciliation: our book against the channel's bill, line by line."""
