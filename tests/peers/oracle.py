"""The expected result of the moving-average cross, in plain `Decimal`: about forty lines that import nothing of ours.

It stands between backtesting.py and bot4: both must agree with it, so a shared mistake has to be made three times.

The rules. Averages are compared as sums of ticks, exactly. At the close of bar i (i >= 30) the sign of fast - slow
decides; orders fill at the open of bar i+1; a flip closes, then opens, at one price. The fee is 0.1 % of each fill.
Equity at the end is cash plus the open unit marked at the last close, its entry fee paid and its exit fee not.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple

FAST, SLOW, FIRST_DECISION_BAR = 10, 30, 30
CASH, FEE_RATE = Decimal(10_000_000), Decimal("0.001")


class Trade(NamedTuple):
    """One closed round trip: bar numbers of the fills, prices, signed size, both fees together, P&L net of fees."""

    entry_bar: int
    exit_bar: int
    entry_price: Decimal
    exit_price: Decimal
    size: int
    fees: Decimal
    pnl: Decimal


def cross_signs(closes: Sequence[Decimal], tick: Decimal) -> list[int]:
    """Return the sign of (mean of the last 10) - (mean of the last 30) per bar, 0 before bar 29; exact in ticks."""
    ticks = [int(close / tick) for close in closes]
    if any(count * tick != close for count, close in zip(ticks, closes, strict=True)):
        raise ValueError(f"a close is not a multiple of the tick {tick}")
    total = [0, *accumulate(ticks)]
    signs = [0] * len(ticks)
    for bar in range(SLOW - 1, len(ticks)):
        fast = (total[bar + 1] - total[bar + 1 - FAST]) * SLOW
        slow = (total[bar + 1] - total[bar + 1 - SLOW]) * FAST
        signs[bar] = (fast > slow) - (fast < slow)
    return signs


def replay(
    opens: Sequence[Decimal], closes: Sequence[Decimal], signs: Sequence[int], *, long_short: bool
) -> tuple[list[Trade], Decimal]:
    """Return the closed trades in order of exit, and the final equity."""
    trades: list[Trade] = []
    cash, position, entry_bar = CASH, 0, 0
    for bar in range(FIRST_DECISION_BAR + 1, len(opens)):
        wanted = signs[bar - 1] if long_short else max(signs[bar - 1], 0)
        if not signs[bar - 1] or wanted == position:
            continue
        price = opens[bar]
        if position:
            entry = opens[entry_bar]
            fees = (entry + price) * FEE_RATE
            trades.append(Trade(entry_bar, bar, entry, price, position, fees, position * (price - entry) - fees))
            cash += position * price - price * FEE_RATE
        if wanted:
            cash -= wanted * price + price * FEE_RATE
            entry_bar = bar
        position = wanted
    return trades, cash + position * closes[-1]
