"""Adjustments: the money follows a stay that was corrected after it was charged."""
