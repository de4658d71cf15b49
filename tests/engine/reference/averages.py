"""Indicators straight from their definitions, over the whole list each time."""

from __future__ import annotations

from fractions import Fraction


def sma(closes: list[int], length: int) -> list[Fraction | None]:
    """Mean of the last closes, None before there are enough."""
    return [
        Fraction(sum(closes[end - length : end]), length) if end >= length else None
        for end in range(1, len(closes) + 1)
    ]


def variance(closes: list[int], length: int) -> list[Fraction | None]:
    """Population variance of the last closes, exact."""
    found: list[Fraction | None] = []
    for end in range(1, len(closes) + 1):
        part = closes[end - length : end] if end >= length else []
        mean = Fraction(sum(part), length)
        found.append(sum(((x - mean) ** 2 for x in part), Fraction(0)) / length if part else None)
    return found


def crossings(fast: list[Fraction | None], slow: list[Fraction | None]) -> list[int]:
    """+1 where fast rises above slow, -1 where it falls below, 0 elsewhere; both must have been known a bar ago."""
    signs: list[int] = []
    before: int | None = None
    for a, b in zip(fast, slow, strict=True):
        now = None if a is None or b is None else (a > b) - (a < b)
        crossed = 0
        if now is not None and before is not None and now != 0 and now != before:
            crossed = now
        signs.append(crossed)
        before = now
    return signs
