"""A simulated payment channel: its own process, durable book and signer, and faults from a seed."""
