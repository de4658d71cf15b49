"""The report of a finished run: figures, terminal, one-file page, trades as CSV."""
