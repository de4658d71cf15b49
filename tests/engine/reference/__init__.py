"""Oracles for the engine, written from TRADING.md and DECISIONS.md alone; they import nothing of bot4."""
