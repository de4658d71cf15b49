"""The trading domain: exact money, instruments, events, orders, portfolio. No input or output here."""
