"""Small pure tools that every domain may use: no I/O, no SQL, no state of their own."""
