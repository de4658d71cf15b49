"""The speed comparison's strategy in bot4: per bar the same Python as nautilus_cross.py does."""

from __future__ import annotations

from collections import deque

from bot4_core.sdk import Bar, Context, Strategy


class Cross(Strategy):
    """Holds one order's quantity in the direction of fast minus slow, long and short.

    Settings:
        fast, slow: lengths of the two averages, in bars.
        quantity: base units of each order.
    """

    fast: int
    slow: int
    quantity: str

    def on_start(self, ctx: Context) -> None:
        self.closes: deque[int] = deque(maxlen=self.slow)
        self.fast_sum = self.slow_sum = self.side = 0

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        close = bar.close_ticks
        closes = self.closes
        if len(closes) < self.slow:
            closes.append(close)
            self.slow_sum += close
            if len(closes) < self.slow:
                return
            self.fast_sum = sum(closes[index] for index in range(-self.fast, 0))
        else:
            self.slow_sum += close - closes[0]
            self.fast_sum += close - closes[-self.fast]
            closes.append(close)
        difference = self.fast_sum * self.slow - self.slow_sum * self.fast
        if difference > 0 and self.side <= 0:
            if self.side:
                ctx.close(bar.instrument)
            ctx.buy(bar.instrument, quantity=self.quantity)
            self.side = 1
        elif difference < 0 and self.side >= 0:
            if self.side:
                ctx.close(bar.instrument)
            ctx.sell(bar.instrument, quantity=self.quantity)
            self.side = -1
