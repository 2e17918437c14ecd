"""Cards: one driver's right to use codes at an operator; what is frozen, returned, and locked before money or codes."""
