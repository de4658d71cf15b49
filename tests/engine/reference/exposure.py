"""K-1 and buying power worked out from TRADING.md in fractions, trying every way the working orders may fill."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import chain, combinations
from typing import NamedTuple

BUY, SELL = 1, -1


class Working(NamedTuple):
    """An order: instrument, sign of its side, lots left, limit and trigger price (0 = none), in prices of one tick."""

    instrument: int
    sign: int
    lots: int
    limit: int = 0
    trigger: int = 0
    entry: bool = True


class Market(NamedTuple):
    """One instrument: its assets, quote per tick and lot, reporting asset per quote, the mark, the position in lots."""

    base: str
    quote: str
    unit: Fraction
    rate: Fraction
    mark: int
    lots: int

    @property
    def value(self) -> Fraction:
        """Reporting asset per tick and lot."""
        return self.unit * self.rate


def worst(order: Working, mark: int, collar: Fraction) -> int:
    """The worst price an order may fill at, in whole ticks: its limit, or ``collar`` beyond the mark.

    A trigger beyond the mark counts in its place.
    """
    if order.limit:
        return order.limit
    start = max(mark, order.trigger) if order.sign == BUY else min(mark, order.trigger or mark)
    price = start * (1 + collar * order.sign)
    return math.ceil(price) if order.sign == BUY else math.floor(price)


def dearest(order: Working, mark: int, collar: Fraction) -> int:
    """What the order's size is judged at: a sale is worth at least the mark."""
    price = worst(order, mark, collar)
    return price if order.sign == BUY else max(price, mark)


def _subsets(orders: list[Working]) -> list[tuple[Working, ...]]:
    return list(chain.from_iterable(combinations(orders, n) for n in range(len(orders) + 1)))


def position_notional(markets: list[Market], working: list[Working], order: Working, collar: Fraction) -> Fraction:
    """K-1: the largest sum of |notional| over the instruments of the order's base asset."""
    total = Fraction(0)
    for index, market in enumerate(markets):
        if market.base != markets[order.instrument].base:
            continue
        mine = [each for each in working if each.instrument == index]
        own = index == order.instrument
        scenarios = [mine_ for sign in (BUY, SELL) for mine_ in _subsets([w for w in mine if w.sign == sign])]
        if own:
            scenarios = [(*chosen, order) for chosen in _subsets([w for w in mine if w.sign == order.sign])]
        total += max(
            abs(market.lots * market.mark + sum(w.sign * w.lots * dearest(w, market.mark, collar) for w in chosen))
            for chosen in scenarios
        ) * market.value
    return total


def gross_notional(markets: list[Market], working: list[Working], order: Working, collar: Fraction) -> Fraction:
    """Margin: everything held at its mark, and everything that may be entered, none of it netted."""
    held = sum(abs(m.lots) * m.mark * m.value for m in markets)
    entering = [order, *(w for w in working if w.entry)]
    return held + sum(
        dearest(w, markets[w.instrument].mark, collar) * w.lots * markets[w.instrument].value for w in entering
    )


def spot_cost(
    markets: list[Market], working: list[Working], order: Working, collar: Fraction, fee: Fraction
) -> Fraction:
    """Quote asset that this buy and the working ones in the same quote may need, the taker fee on top."""
    quote = markets[order.instrument].quote
    buys = [order, *(w for w in working if w.sign == BUY and w.entry and markets[w.instrument].quote == quote)]
    cost = sum(worst(w, markets[w.instrument].mark, collar) * w.lots * markets[w.instrument].unit for w in buys)
    return Fraction(cost) * (1 + fee)
