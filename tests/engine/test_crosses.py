"""A cross is news once: in the delivery of the bar that made it, whatever else a strategy is woken for."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from bot4_core.domain.event import Bar, Kind, Trade
from bot4_core.domain.order import Side
from bot4_core.errors import DomainError
from bot4_core.strategy import Context, Fill, Strategy, Timer

from .rig import BTC, ETH, MINUTE, Rig, rig

HOUR = 60 * MINUTE
#: (minute, what was delivered, in minutes for bars)
Told = list[tuple[int, Any]]


class Crosses(Strategy):
    """Notes each delivery in which the hourly average of one crosses that of two."""

    length: ClassVar[str | None] = "1h"

    def on_start(self, ctx: Context) -> None:
        self.fast, self.slow = ctx.sma(1, self.length), ctx.sma(2, self.length)
        self.told: Told = []
        ctx.every("30m")

    def note(self, ctx: Context, what: object) -> None:
        if self.fast.crossed_above(self.slow):
            self.told.append((ctx.now // MINUTE, what))


class EveryMinute(Crosses):
    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.note(ctx, bar.interval_ns // MINUTE)


class EveryHour(EveryMinute):
    timeframes = ("1h",)


class EveryHourMinutes(EveryHour):
    """Averages of the history's own bars, woken for the hour as well."""

    length = None


class Busy(EveryMinute):
    """Hears of timers and fills too; each has its own news."""

    def on_timer(self, ctx: Context, timer: Timer) -> None:
        self.note(ctx, "timer")

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.note(ctx, "fill")


def play(strategy: Crosses, minutes: int, *, rise: int = 121, missing: range = range(0)) -> Rig:
    """Minutes at 100.00 and from ``rise`` on at 110.00, with the timers between them."""
    r = rig(strategy=strategy)
    for minute in range(1, minutes + 1):
        while r.engine.timers.next_ns < minute * MINUTE:
            r.engine.run_timers(r.engine.timers.next_ns)
        if minute not in missing:
            r.bar(10_000 if minute < rise else 11_000, ts=minute * MINUTE)
    return r


def told(strategy: Crosses, minutes: int = 300, **more: Any) -> Told:
    play(strategy, minutes, **more)
    return strategy.told


def test_a_timeframe_a_strategy_is_not_woken_for_is_news_in_its_next_bar_only() -> None:
    assert told(EveryMinute()) == [(181, 1)]


def test_a_timeframe_a_strategy_is_woken_for_is_news_in_that_bar_only() -> None:
    assert told(EveryHour()) == [(180, 60)]


def test_the_historys_own_bars_are_no_news_in_a_longer_bar() -> None:
    assert told(EveryHourMinutes(), rise=180) == [(180, 1)]


def test_an_hour_that_ends_by_the_clock_is_news_in_the_first_bar_after_it() -> None:
    assert told(EveryMinute(), missing=range(170, 185)) == [(185, 1)]
    assert told(EveryHour(), missing=range(170, 185)) == [(180, 60)]


def test_each_method_has_the_news_of_its_own() -> None:
    busy = Busy()
    r = play(busy, 180)
    order = r.ctx.buy(BTC, quantity=1, stop="0.02")
    r.open(order, 11_000, 500)
    r.say(r.fill_row(order, 500, 11_000))
    r.bar(11_000, ts=181 * MINUTE)
    r.bar(11_000, ts=210 * MINUTE)

    assert order.side is Side.BUY
    assert busy.told == [(180, "timer"), (180, "fill"), (181, 1)]


def test_asking_twice_in_one_delivery_gives_one_answer() -> None:
    class Twice(EveryMinute):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            super().on_bar(ctx, bar)
            super().on_bar(ctx, bar)

    assert told(Twice()) == [(181, 1), (181, 1)]


def test_a_cross_nobody_asked_about_in_time_is_over() -> None:
    class Late(EveryMinute):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            if bar.ts > 185 * MINUTE:
                super().on_bar(ctx, bar)

    assert told(Late()) == []


def test_a_short_average_crosses_a_long_one_once_and_not_through_the_whole_hour() -> None:
    class Mixed(EveryMinute):
        def on_start(self, ctx: Context) -> None:
            super().on_start(ctx)
            self.fast, self.slow = ctx.sma(1), ctx.sma(1, "1h")

    # at 110.00 from minute 151 on: above the hour of 100.00 once; equal to the next hour, and so never again
    assert told(Mixed(), rise=151) == [(151, 1)]


def test_a_leaders_cross_is_news_in_the_followers_bar_of_that_moment() -> None:
    class Pair(Crosses):
        def on_start(self, ctx: Context) -> None:
            self.fast, self.slow = ctx.sma(1).of(BTC), ctx.sma(2).of(BTC)
            self.told: Told = []

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            self.note(ctx, bar.instrument.symbol)

    pair = Pair()
    r = rig(BTC, ETH, strategy=pair)
    for close in (100, 100, 110, 110):
        r.bars(close, 50)
    r.now += MINUTE
    r.step([(r.now, 1, Kind.BAR, 0, 50, 50, 50, 50, 1, 1)])

    assert pair.told == [(3, "BTC/USDT"), (3, "ETH/USDT")]


def test_a_cross_before_the_window_is_no_news_in_it() -> None:
    strategy = EveryMinute()
    r = rig(strategy=strategy, trading_from=200 * MINUTE)
    for minute in range(1, 301):
        r.bar(10_000 if minute < 121 else 11_000, ts=minute * MINUTE)

    assert strategy.told == []
    assert r.engine.dispatch.wakes == 101 + len([210, 240, 270, 300])


def test_averages_of_trades_cross_once_for_a_strategy_that_hears_of_trades() -> None:
    class Ticks(Crosses):
        length = "1m"

        def on_trade(self, ctx: Context, trade: Trade) -> None:
            self.note(ctx, trade.trade_id)

    ticks = Ticks()
    r = rig(strategy=ticks, interval_ns=0)
    for number in range(20):  # two at each moment, a moment every half minute
        r.step([(number // 2 * MINUTE // 2, 0, Kind.TRADE, 0, 100 if number < 8 else 110, 1, number, 0, 0, 0)])

    assert ticks.told == [(3, 12)]


class Times(Strategy):
    """Looks at a timer, with and without saying of what."""

    said: ClassVar[bool] = False

    def on_start(self, ctx: Context) -> None:
        self.average = ctx.sma(1)
        self.seen: list[tuple[float, int]] = []
        ctx.every("2m")

    def on_timer(self, ctx: Context, timer: Timer) -> None:
        average, of = (self.average.of(ETH), ETH) if self.said else (self.average, None)
        self.seen.append((average.value, len(ctx.bars(5, of))))


class SaidTimes(Times):
    said = True


def test_in_a_timer_the_only_instrument_is_meant() -> None:
    times = Times()
    r = rig(strategy=times)
    for close in (100, 200):
        r.bar(close)

    assert times.seen == [(2.0, 2)]


def test_in_a_timer_one_of_several_instruments_must_be_named() -> None:
    r = rig(BTC, ETH, strategy=Times())
    r.bars(100, 700)
    with pytest.raises(DomainError, match=r"sma of which instrument\? .*\.of\(\)"):
        r.bars(200, 800)
    with pytest.raises(DomainError, match=r"bars of which instrument\? .* instrument="):
        r.ctx.bars(3)

    named = SaidTimes()
    r = rig(BTC, ETH, strategy=named)
    r.bars(100, 700)
    r.bars(200, 800)
    assert named.seen == [(8.0, 2)]
