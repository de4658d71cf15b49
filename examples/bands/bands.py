"""Trade back to the average from far outside it, with the longer trend, and never over a weekend."""

from datetime import UTC, datetime
from decimal import Decimal

from bot4_core.sdk import Bar, Context, Strategy, Timer

_FRIDAY = 4


class Bands(Strategy):
    """Back to the average.

    Args:
        length: bars of the average and of the deviation around it.
        width: how many deviations away an entry is.
        size: of an entry, as a fraction of equity.
    """

    length: int = 48
    width: Decimal = Decimal(2)
    size: Decimal = Decimal("0.015")

    def on_start(self, ctx: Context) -> None:
        self.average, self.spread = ctx.sma(self.length), ctx.stdev(self.length)
        self.trend = ctx.ema(12, timeframe="4h")
        ctx.every("1d", name="midnight")

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        price, average = float(bar.close), self.average.value
        away = (price - average) / self.spread.value if self.spread.value else 0.0
        held = ctx.position(bar.instrument).lots
        if held and (away >= 0) == (held > 0):
            ctx.close(bar.instrument, tag="back at the average")
        elif held or not self.trend.ready or ctx.orders(bar.instrument):
            return
        elif away < -float(self.width) and price > self.trend.value * 0.97:
            ctx.buy(bar.instrument, fraction=self.size, stop="0.03", tag="far below")
        elif away > float(self.width) and price < self.trend.value * 1.03:
            ctx.sell(bar.instrument, fraction=self.size, stop="0.03", tag="far above")

    def on_timer(self, ctx: Context, timer: Timer) -> None:
        if datetime.fromtimestamp(timer.ts // 10**9, UTC).weekday() == _FRIDAY:
            for instrument in ctx.instruments:
                ctx.close(instrument, tag="weekend")
