"""Recorded market data: the ``*.b4h`` file, import, checks, the catalogue and a seeded market generator."""
