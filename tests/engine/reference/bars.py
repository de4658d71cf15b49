"""Longer bars by grouping a whole list at once: open of the first, extremes, close of the last, sums."""

from __future__ import annotations

import math
from typing import NamedTuple


class Candle(NamedTuple):
    """A finished bar; ``ts`` is its close."""

    ts: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


def _merge(end: int, parts: list[Candle]) -> Candle:
    return Candle(
        end, parts[0].open, max(p.high for p in parts), min(p.low for p in parts), parts[-1].close,
        sum(p.volume for p in parts), sum(p.trades for p in parts),
    )  # fmt: skip


def _grouped(ends: list[int], candles: list[Candle]) -> list[Candle]:
    return [_merge(end, [c for e, c in zip(ends, candles, strict=True) if e == end]) for end in sorted(set(ends))]


def longer(bars: list[Candle], length: int, interval: int) -> list[Candle]:
    """Bars of one length into longer ones aligned to multiples of the interval.

    A bar that closes at a bucket's end belongs to it. The first bucket is none when it was under way before.
    """
    ends = [math.ceil(bar.ts / interval) * interval for bar in bars]
    return _grouped(ends, bars)[bool(bars) and bars[0].ts - length > ends[0] - interval :]


def from_trades(trades: list[tuple[int, int, int]], interval: int) -> list[Candle]:
    """Trades (time, price, quantity) into bars; a trade at a bucket's end belongs to the next one.

    The first bucket is none unless its first trade is at its beginning: what came before is not known.
    """
    single = [Candle(ts, price, price, price, price, quantity, 1) for ts, price, quantity in trades]
    ends = [math.floor(ts / interval) * interval + interval for ts, _, _ in trades]
    return _grouped(ends, single)[trades[0][0] > ends[0] - interval :]
