"""The HTTP edge: checks who calls, opens the transaction, calls services and builds answers; no rule lives here."""
