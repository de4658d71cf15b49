"""A position by average cost, in fractions: what it cost, what closing brought, nothing remembered per fill."""

from __future__ import annotations

from fractions import Fraction


class Book:
    """Net position after fills; costs, fees and profits in quote units, unrounded."""

    def __init__(self) -> None:
        self.lots = 0
        self.cost = Fraction(0)
        self.fees = Fraction(0)
        self.realised = Fraction(0)

    def fill(self, signed_lots: int, cost: int, fee: int) -> Fraction | None:
        """Applies a fill; the profit of what it closed, or None."""
        opposite = self.lots * signed_lots < 0
        closed = min(abs(signed_lots), abs(self.lots)) if opposite else 0
        share = Fraction(closed, abs(signed_lots))
        profit = None
        if closed:
            part = Fraction(closed, abs(self.lots))
            gain = cost * share - self.cost * part if self.lots > 0 else self.cost * part - cost * share
            profit = gain - self.fees * part - fee * share
            self.realised += profit
            self.cost -= self.cost * part
            self.fees -= self.fees * part
        self.cost += cost * (1 - share)
        self.fees += fee * (1 - share)
        self.lots += signed_lots
        return profit
