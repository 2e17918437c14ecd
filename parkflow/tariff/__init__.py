"""Tariffs: versions of price rules in the language PTL/1, and which one was in force when."""
