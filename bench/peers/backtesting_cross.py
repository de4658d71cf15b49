"""A moving-average cross in backtesting.py, run inside that peer's own environment and never imported by ours.

    <peer python> backtesting_cross.py REQUEST.npz > answer.json

REQUEST.npz holds `open`, `high`, `low`, `close` (float64, one value per bar), `open_ms` (int64, UTC), `sign` (int8, the
sign of fast minus slow at each bar's close, computed exactly by the caller) and `long_short` (bool scalar).

What the peer does with it, read from the source of 0.6.6:

- `next()` is first called at bar 1 and sees bars 0..i; market orders placed there fill at the open of bar i+1, before
  the next call of `next()`. Orders placed at the last bar never fill.
- `Position.close()` puts its order at the FRONT of the queue, `buy()` and `sell()` at the back: in a flip the close
  fills first, at the same open price.
- Commission is `size * price * rate`, unrounded; cash pays it at the open of a trade and again at its close. A closed
  trade's `pl` is net of both.
- Equity is cash plus the open trade marked at the last close; the open trade's entry commission is already paid, its
  exit commission is not.

Floats are printed with `repr`, so nothing is lost on the way out.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from typing import Any

import backtesting  # type: ignore[import-not-found]  # lives in the peer's environment only
import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # lives in the peer's environment only

CASH = 1e7
COMMISSION = 0.001
FIRST_DECISION_BAR = 30


class Cross(backtesting.Strategy):  # type: ignore[misc]  # the base class is untyped outside the peer's environment
    """Holds one unit in the direction of the sign; long only, or long and short."""

    sign: Any = None
    long_short = False
    orders_sent = 0

    def init(self) -> None:
        self.orders_sent = 0

    def next(self) -> None:
        bar = len(self.data) - 1
        if bar < FIRST_DECISION_BAR:
            return
        sign = self.sign[bar]
        position = self.position
        if sign > 0 and not position.is_long:
            self._turn(position)
            self.buy(size=1)
            self.orders_sent += 1
        elif sign < 0 and not position.is_short:
            self._turn(position)
            if self.long_short:
                self.sell(size=1)
                self.orders_sent += 1

    def _turn(self, position: Any) -> None:
        if position:
            position.close()
            self.orders_sent += 1


def main(request_path: str) -> None:
    """Run one request and print one JSON object: trades, the open trade if any, final equity, counts and times."""
    with np.load(request_path) as request:
        bars = pd.DataFrame(
            {name.capitalize(): request[name] for name in ("open", "high", "low", "close")},
            index=pd.to_datetime(request["open_ms"], unit="ms"),
        )
        sign = request["sign"].tolist()
        long_short = bool(request["long_short"])
    warnings.simplefilter(
        "ignore"
    )  # it warns of the trade that stays open at the end, which is the condition asked for
    backtest = backtesting.Backtest(
        bars, Cross, cash=CASH, commission=COMMISSION, trade_on_close=False, hedging=False, finalize_trades=False
    )
    began = time.perf_counter()
    stats = backtest.run(sign=sign, long_short=long_short)
    run_s = time.perf_counter() - began
    strategy = stats._strategy
    commission = strategy._broker._commission
    closed = sorted(strategy.closed_trades, key=lambda trade: trade.exit_bar)
    answer = {
        "engine": "backtesting",
        "version": backtesting.__version__,
        "bars": len(bars),
        "orders": strategy.orders_sent,
        "count": len(closed),
        "trades": [
            {
                "entry_bar": int(trade.entry_bar),
                "exit_bar": int(trade.exit_bar),
                "entry_price": float(trade.entry_price),
                "exit_price": float(trade.exit_price),
                "size": int(trade.size),
                "entry_commission": float(commission(trade.size, trade.entry_price)),
                "exit_commission": float(commission(trade.size, trade.exit_price)),
                "pnl": float(trade.pl),
            }
            for trade in closed
        ],
        "open_trade": [
            {"entry_bar": int(trade.entry_bar), "entry_price": float(trade.entry_price), "size": int(trade.size)}
            for trade in strategy.trades
        ],
        "final_equity": float(stats._equity_curve["Equity"].iloc[-1]),
        "run_s": run_s,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
