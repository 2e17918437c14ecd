"""Arrears: charges that a cut-off counted as due and unpaid, what they freeze, and their repayment."""
