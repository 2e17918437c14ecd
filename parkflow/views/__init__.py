"""Read only: the statements that look at several domains at once, for pages, figures and reports."""
