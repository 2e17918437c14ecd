"""The ledger: business days, and transfers posted to the open one, each at most once."""
