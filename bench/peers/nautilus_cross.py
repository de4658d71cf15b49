"""The speed comparison's strategy in nautilus_trader, run inside that peer's own environment, never imported by ours.

    <peer python> nautilus_cross.py DATA.npz > answer.json       # DATA.npz is written by cross_data.py

The work per bar is the same Python as on our side: a deque of close ticks, two running sums, one comparison. On a turn
the strategy sends a reduce-only market order that closes and a second one that opens; the venue is a NETTING margin
account with a 0.1 % taker fee. The pre-trade checks of the peer's risk engine stay on, as our gate does.

Semantics seen in 1.221.0: a market order sent in `on_bar` fills before the next bar, at that bar's close (ours fills at
the next bar's open; the data make the two prices equal). The fill engine offers a quarter of the bar's volume per OHLC
step, so large volumes keep one order one fill. `run()` is timed alone, apart from import and loading.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import deque
from decimal import Decimal
from typing import Any

import cross_data as market
import nautilus_trader  # type: ignore[import-not-found]  # lives in the peer's environment only
import numpy as np
from nautilus_trader.backtest.engine import (  # type: ignore[import-not-found]  # as above
    BacktestEngine,
    BacktestEngineConfig,
)
from nautilus_trader.common.config import LoggingConfig  # type: ignore[import-not-found]  # as above
from nautilus_trader.model.currencies import BTC, USDT  # type: ignore[import-not-found]  # as above
from nautilus_trader.model.data import Bar, BarType  # type: ignore[import-not-found]  # as above
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide  # type: ignore[import-not-found]  # as above
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue  # type: ignore[import-not-found]  # as above
from nautilus_trader.model.instruments import CurrencyPair  # type: ignore[import-not-found]  # as above
from nautilus_trader.model.objects import Money, Price, Quantity  # type: ignore[import-not-found]  # as above
from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found]  # as above

RAW_PER_TICK = Price.from_str(market.TICK).raw


class Cross(Strategy):  # type: ignore[misc]  # the base class is untyped outside the peer's environment
    """Holds one order's quantity in the direction of fast minus slow, long and short."""

    def __init__(self, instrument: Any, bar_type: Any) -> None:
        super().__init__()
        self.instrument = instrument
        self.bar_type = bar_type
        self.quantity = instrument.make_qty(Decimal(market.ORDER_QUANTITY))
        self.closes: deque[int] = deque(maxlen=market.SLOW)
        self.fast_sum = self.slow_sum = self.side = 0
        self.fills = 0

    def on_start(self) -> None:
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Any) -> None:
        close = bar.close.raw // RAW_PER_TICK
        closes = self.closes
        if len(closes) < market.SLOW:
            closes.append(close)
            self.slow_sum += close
            if len(closes) < market.SLOW:
                return
            self.fast_sum = sum(closes[index] for index in range(-market.FAST, 0))
        else:
            self.slow_sum += close - closes[0]
            self.fast_sum += close - closes[-market.FAST]
            closes.append(close)
        difference = self.fast_sum * market.SLOW - self.slow_sum * market.FAST
        if difference > 0 and self.side <= 0:
            self._turn(OrderSide.BUY, 1)
        elif difference < 0 and self.side >= 0:
            self._turn(OrderSide.SELL, -1)

    def _turn(self, order_side: Any, side: int) -> None:
        if self.side:
            self._send(order_side, reduce_only=True)
        self._send(order_side, reduce_only=False)
        self.side = side

    def _send(self, order_side: Any, *, reduce_only: bool) -> None:
        self.submit_order(
            self.order_factory.market(self.instrument.id, order_side, self.quantity, reduce_only=reduce_only)
        )

    def on_order_filled(self, event: Any) -> None:
        self.fills += 1


def make_instrument() -> Any:
    """Return the pair both engines trade: tick, lot and fees from cross_data."""
    symbol = Symbol("BTCUSDT")
    tick, lot, fee = Price.from_str(market.TICK), Quantity.from_str(market.LOT), Decimal(market.TAKER_FEE)
    return CurrencyPair(
        instrument_id=InstrumentId(symbol, Venue("SIM")),
        raw_symbol=symbol,
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=tick.precision,
        size_precision=lot.precision,
        price_increment=tick,
        size_increment=lot,
        ts_event=0,
        ts_init=0,
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
        maker_fee=fee,
        taker_fee=fee,
    )


def load_bars(path: str, bar_type: Any, instrument: Any) -> list[Any]:
    """Return the peer's bar objects; prices pass through its own float constructor, which is exact for these ticks."""
    with np.load(path) as data:
        prices = {name: data[name] * float(market.TICK) for name in ("open", "high", "low", "close")}
        volume = data["volume"] / 10**market.VOLUME_SCALE
        stamps = data["close_ns"].astype(np.uint64)
    bars: list[Any] = Bar.from_raw_arrays_to_list(
        bar_type,
        instrument.price_precision,
        instrument.size_precision,
        *(prices[name].round(instrument.price_precision) for name in ("open", "high", "low", "close")),
        volume.round(instrument.size_precision),
        stamps,
        stamps,
    )
    return bars


def main(path: str) -> None:
    """Run the cross over the file's bars and print one JSON object."""
    instrument = make_instrument()
    bar_type = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(
        venue=instrument.id.venue,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(Decimal(market.START_BALANCE), USDT)],
        base_currency=USDT,
        default_leverage=Decimal(market.LEVERAGE),
    )
    engine.add_instrument(instrument)
    bars = load_bars(path, bar_type, instrument)
    engine.add_data(bars, validate=False)
    strategy = Cross(instrument, bar_type)
    engine.add_strategy(strategy)
    began = time.perf_counter()
    engine.run()
    run_s = time.perf_counter() - began
    orders = engine.cache.orders()
    balance = engine.cache.account_for_venue(instrument.id.venue).balance_total(USDT).as_decimal()
    unrealized = engine.portfolio.unrealized_pnl(instrument.id)
    answer = {
        "engine": "nautilus_trader",
        "version": nautilus_trader.__version__,
        "bars": len(bars),
        "orders": len(orders),
        "fills": strategy.fills,
        "orders_not_filled": sum(not order.is_closed or order.filled_qty != order.quantity for order in orders),
        "run_s": run_s,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "final_balance": str(balance),
        "final_equity": str(balance + (unrealized.as_decimal() if unrealized else 0)),
    }
    engine.dispose()
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
