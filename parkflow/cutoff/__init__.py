"""Cut-off: closing one operator's business day with totals and a hash that never change again."""
