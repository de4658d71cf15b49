"""The moving-average cross of the parity test, as a strategy: one unit in the direction of fast - slow."""

from __future__ import annotations

from decimal import Decimal

from bot4_core.sdk import Bar, Context, Strategy


class ParityCross(Strategy):
    """Decides at the close of each bar by the exact averages; a turn closes, then opens.

    Settings:
        fast, slow: lengths of the averages, in bars.
        long_short: also sell short below; else only leave the long.
        first_decision_ts: close of the first bar that may decide, UTC ns (the peer's warm-up).
    """

    fast: int = 10
    slow: int = 30
    default_stop: Decimal | None = None  # the peer protects nothing, so neither does this
    long_short: bool = False
    first_decision_ts: int = 0

    def on_start(self, ctx: Context) -> None:
        self.fast_avg, self.slow_avg = ctx.sma(self.fast), ctx.sma(self.slow)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if bar.ts < self.first_decision_ts or not self.slow_avg.ready:
            return
        lots = ctx.position(bar.instrument).lots
        if lots <= 0 and self.fast_avg.above(self.slow_avg):
            if lots:
                ctx.close(bar.instrument)
            ctx.buy(bar.instrument, quantity=1)
        elif lots >= 0 and self.fast_avg.below(self.slow_avg):
            if lots:
                ctx.close(bar.instrument)
            if self.long_short:
                ctx.sell(bar.instrument, quantity=1)
