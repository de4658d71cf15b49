"""The oracle's account: what an order costs, what it locks, and why the venue would refuse it."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from .oracle_parts import (
    MAX_QUANTITY,
    MIN_NOTIONAL,
    MIN_QUANTITY,
    NO_BALANCE,
    NO_MARGIN,
    NONE,
    POSITION_CLOSED,
    Candle,
    Spec,
    Ticket,
    Venue,
)


class Account:
    """State of the venue and the rules an order must pass when it arrives."""

    def __init__(self, venue: Venue, specs: list[Spec], interval: int, balances: dict[str, int]) -> None:
        self.venue, self.specs, self.interval = venue, specs, interval
        self.balances = dict(balances)
        self.position = [0] * len(specs)
        self.last = [0] * len(specs)
        self.books: list[list[Ticket]] = [[] for _ in specs]
        self.by_id: dict[int, Ticket] = {}
        self.used: set[int] = set()
        self.underway: list[tuple[int, str, object]] = []
        self.reports: list[tuple[int, ...]] = []
        self.now = 0
        self.trades = 0
        self.future: list[Candle] = []

    def cost(self, spec: Spec, price: int, lots: int) -> int:
        return round(spec.cost * price * lots)  # Fraction rounds half to even

    def refusal(self, t: Ticket) -> int:
        spec, last = self.specs[t.instrument], self.last[t.instrument]
        price = t.limit or t.trigger or last
        if t.lots < spec.min_lots:
            return MIN_QUANTITY
        if spec.max_lots and t.lots > spec.max_lots:
            return MAX_QUANTITY
        if not t.reduce_only and price and self.cost(spec, price, t.lots) < spec.min_notional:
            return MIN_NOTIONAL
        if t.reduce_only:
            return NONE if self.closable(t) else POSITION_CLOSED
        return self.margin_refusal(t) if self.venue.margin else self.spot_refusal(t)

    def spot_refusal(self, t: Ticket) -> int:
        spec, last = self.specs[t.instrument], self.last[t.instrument]
        if t.limit:
            t.worst = t.limit
        else:
            market = max(last, t.trigger)
            t.worst = self.against(market, 1, self.venue.spread / 2 + self.venue.slippage) if market else 0
        asset = spec.quote if t.sign > 0 else spec.base
        need = self.locks(t)
        return NO_BALANCE if need and self.locked(asset) + need > self.balances[asset] else NONE

    def locks(self, t: Ticket) -> int:
        spec = self.specs[t.instrument]
        if t.reduce_only or not t.alive:
            return 0
        if t.sign < 0:
            return t.left * spec.lot_units
        cost = self.cost(spec, t.worst, t.left)
        return cost + ceil(cost * max(self.venue.maker, self.venue.taker, Fraction(0)))

    def locked(self, asset: str, but: Ticket | None = None) -> int:
        return sum(
            self.locks(t)
            for i, book in enumerate(self.books)
            for t in book
            if t is not but and asset == (self.specs[i].quote if t.sign > 0 else self.specs[i].base)
        )

    def exposure(self, extra: Ticket | None) -> int:
        total = 0
        for i, spec in enumerate(self.specs):
            orders = [t for t in self.books[i] if t.alive and not t.reduce_only]
            price = self.last[i]
            if extra and extra.instrument == i:
                orders.append(extra)
                price = max(price, extra.limit)
            up = self.position[i] + sum(t.left for t in orders if t.sign > 0)
            down = self.position[i] - sum(t.left for t in orders if t.sign < 0)
            total += self.cost(spec, price, max(abs(up), abs(down)))
        return total

    def margin_refusal(self, t: Ticket) -> int:
        equity = self.balances[self.specs[0].quote]
        for i, spec in enumerate(self.specs):
            held = self.balances[spec.base]
            value = self.cost(spec, self.last[i], abs(held) // spec.lot_units)
            equity += value if held > 0 else -value
        after = self.exposure(t)
        return NO_MARGIN if after > self.exposure(None) and after > equity * self.venue.leverage else NONE

    def against(self, price: int, sign: int, ratio: Fraction) -> int:
        return ceil(price * (1 + ratio)) if sign > 0 else max(1, floor(price * (1 - ratio)))

    def closable(self, t: Ticket) -> int:
        return max(0, -self.position[t.instrument] * t.sign)
