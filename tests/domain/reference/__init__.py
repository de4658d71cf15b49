"""Oracles for the domain, written from TRADING.md and DECISIONS.md alone; they import nothing of bot4."""
