"""Gates: the devices at the lanes, what they need offline (bundle), what they saw (scans), how far they uploaded."""
