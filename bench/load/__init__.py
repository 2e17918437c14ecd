"""Load: a town of gates and cards made in bulk, senders that cost little, and what the service's processes spend."""
