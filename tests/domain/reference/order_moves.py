"""TRADING.md O-1, copied from the page by hand: state by state, in the page's own words."""

from __future__ import annotations

PAGE = """
Created→Validated|Denied|Cancelled|Failed
Validated→Submitted|Cancelled|Failed
Submitted→Acknowledged|Triggered|PartiallyFilled|Filled|Cancelled|Expired|Rejected|Unknown
Acknowledged→Triggered|PartiallyFilled|Filled|Cancelled|Expired|Rejected|Unknown
Triggered→PartiallyFilled|Filled|Cancelled|Expired|Rejected|Unknown
PartiallyFilled→PartiallyFilled|Filled|Cancelled|Expired|Unknown
"""
#: "Unknown→any state with venue evidence"; Failed is none: it needs the proof that zero bytes left the process.
EVIDENT = ("Acknowledged", "Triggered", "PartiallyFilled", "Filled", "Cancelled", "Rejected", "Expired")
TERMINAL = ("Denied", "Filled", "Cancelled", "Rejected", "Expired", "Failed")
STATES = (
    "Created", "Denied", "Validated", "Submitted", "Acknowledged", "Triggered", "PartiallyFilled", "Filled",
    "Cancelled", "Rejected", "Expired", "Failed", "Unknown",
)  # fmt: skip


def moves() -> dict[str, frozenset[str]]:
    """State to the states it may become, all thirteen named."""
    table = {state: frozenset[str]() for state in STATES}
    for line in PAGE.split():
        before, _, after = line.partition("→")
        table[before] = frozenset(after.split("|"))
    table["Unknown"] = frozenset(EVIDENT)
    return table
