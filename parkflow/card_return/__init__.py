"""Card return: the driver hands the card in, waits three days, and gets the deposit back at most once."""
