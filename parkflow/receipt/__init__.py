"""Fee receipts: documents from which anyone can compute a fee again, and their checking and showing."""
