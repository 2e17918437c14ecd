"""Work in the background: which worker may work on what."""
