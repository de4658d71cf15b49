"""Bars of one length into longer ones, trades into bars, and the window a strategy looks back through."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.domain.event import Bar, Kind
from bot4_core.engine.indicators import Row
from bot4_core.engine.series import Feed, Series, parse_interval
from bot4_core.errors import DomainError
from bot4_core.strategy import Context, Strategy, Timer

from .reference.bars import Candle, from_trades, longer
from .rig import BTC, MINUTE, Rig, rig

FIVE, HOUR = 5 * MINUTE, 60 * MINUTE


def row(bar: Candle) -> Row:
    return (bar.ts, 0, int(Kind.BAR), 0, *bar[1:])


def candle(got: Row) -> Candle:
    assert got[1:4] == (0, Kind.BAR, 0)
    return Candle(got[0], *got[4:])


@st.composite
def five_minute_bars(draw: st.DrawFn) -> list[Candle]:
    """Bars on the five-minute grid, some missing, starting anywhere."""
    start = draw(st.integers(1, 30))
    kept = draw(st.lists(st.booleans(), min_size=1, max_size=60))
    bars = []
    for place, keep in enumerate(kept):
        if keep:
            prices = draw(st.lists(st.integers(1, 100), min_size=4, max_size=4))
            close = (start + place) * FIVE
            bars.append(
                Candle(close, prices[0], max(prices), min(prices), prices[1], draw(st.integers(0, 9)), len(prices))
            )
    return bars


@given(five_minute_bars(), st.sampled_from([2 * FIVE, HOUR, 4 * HOUR]))
@settings(max_examples=200)
def test_longer_bars_are_the_groups_of_shorter_ones_through_gaps_and_odd_starts(
    bars: list[Candle], interval: int
) -> None:
    feed = Feed(BTC, 0, FIVE, 100)
    done: list[tuple[int, Candle]] = []
    order: list[tuple[int, int]] = []
    feed.series(interval).listen(0, lambda got: done.append((bar.ts, candle(got))))
    feed.series(interval).listen(0, lambda got: order.append((got[0], interval)))
    feed.series(None).listen(0, lambda got: order.append((got[0], FIVE)))
    for bar in bars:
        feed.on_bar(row(bar))

    whole = longer(bars, FIVE, interval)
    finished = [each for each in whole if bars and each.ts <= bars[-1].ts]
    assert [each for _, each in done] == finished
    for told_at, each in done:
        # without a clock: told with the bar that ends it, or with the first one after a gap, never before its time
        assert told_at == min(b.ts for b in bars if b.ts >= each.ts)
    assert order == sorted(order, key=lambda told: told[0])


trades = st.lists(
    st.tuples(st.integers(0, 90 * 10**9), st.integers(1, 100), st.integers(1, 50)), min_size=1, max_size=60
)


@given(trades)
@settings(max_examples=200)
def test_bars_are_built_from_trades_and_ended_by_the_clock(gaps: list[tuple[int, int, int]]) -> None:
    feed, now, dealt = Feed(BTC, 0, 0, 100), MINUTE, []
    done: list[Candle] = []
    feed.series(MINUTE).listen(0, lambda got: done.append(candle(got)))
    for gap, price, quantity in gaps:
        now += gap
        dealt.append((now, price, quantity))
        feed.on_trade((now, 0, int(Kind.TRADE), 0, price, quantity, 1, 0, 0, 0))

    whole = from_trades(dealt, MINUTE)
    assert done == [each for each in whole if each.ts <= now]
    last = (now // MINUTE + 1) * MINUTE
    feed.close_buckets(last - 1)
    assert done == [each for each in whole if each.ts <= now]
    feed.close_buckets(last)
    assert done == whole


def test_a_minute_of_trades_ends_by_the_clock_even_when_no_trade_follows() -> None:
    class Minutes(Strategy):
        timeframes = ("1m",)

        def on_bar(self, ctx: Context, bar: object) -> None:
            seen.append((ctx.now, bar.ts, bar.close_ticks))  # type: ignore[attr-defined]  # a Bar

        def on_timer(self, ctx: Context, timer: Timer) -> None: ...

    seen: list[tuple[int, int, int]] = []
    r = rig(strategy=Minutes(), interval_ns=0)
    r.step([(MINUTE, 0, Kind.TRADE, 0, 100, 7, 1, 0, 0, 0)])
    assert seen == []
    assert r.engine.timers.next_ns == 2 * MINUTE

    r.engine.run_timers(2 * MINUTE)

    assert seen == [(2 * MINUTE, 2 * MINUTE, 100)]


def hourly(interval_ns: int) -> tuple[Rig, list[tuple[int, int, int]]]:
    """A rig whose strategy notes (bar's close, its length, now), all in minutes; ``1m`` and ``1h`` bars."""

    class Hours(Strategy):
        timeframes = ("1h",) if interval_ns else ("1m", "1h")

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            seen.append((bar.ts // MINUTE, bar.interval_ns // MINUTE, ctx.now // MINUTE))

    seen: list[tuple[int, int, int]] = []
    return rig(strategy=Hours(), interval_ns=interval_ns), seen


def test_an_hour_whose_last_minutes_are_missing_ends_on_the_hour_and_before_any_later_minute() -> None:
    r, seen = hourly(MINUTE)
    for minute in [*range(1, 58), *range(64, 67)]:
        while r.engine.timers.next_ns < minute * MINUTE:  # as the replay does: a timer before the next event
            r.engine.run_timers(r.engine.timers.next_ns)
        r.bar(minute, ts=minute * MINUTE)

    assert seen[56:] == [(57, 1, 57), (60, 60, 60), (64, 1, 64), (65, 1, 65), (66, 1, 66)]


def test_in_a_warm_up_without_clock_the_hour_still_comes_before_the_later_minute() -> None:
    r, seen = hourly(MINUTE)
    r.engine.timers.clear()
    for minute in [*range(1, 58), 64]:
        r.bar(minute, ts=minute * MINUTE)

    assert seen[56:] == [(57, 1, 57), (60, 60, 64), (64, 1, 64)]


def test_an_hour_that_was_under_way_when_the_history_began_is_not_delivered() -> None:
    r, seen = hourly(MINUTE)
    for minute in range(31, 181):
        r.bar(minute, ts=minute * MINUTE)

    assert [each for each in seen if each[1] == 60] == [(120, 60, 120), (180, 60, 180)]


def test_a_minute_of_trades_that_was_under_way_is_not_delivered_either() -> None:
    r, seen = hourly(0)
    for ts in (MINUTE + 1, 2 * MINUTE + 1, 3 * MINUTE + 1):
        r.step([(ts, 0, Kind.TRADE, 0, 100, 7, 1, 0, 0, 0)])

    assert seen == [(3, 1, 3)]


def test_bars_end_before_a_strategys_own_timer_of_that_moment() -> None:
    class Both(Strategy):
        timeframes = ("1h",)

        def on_start(self, ctx: Context) -> None:
            ctx.every("1h")

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            if bar.interval_ns == HOUR:
                told.append("bar")

        def on_timer(self, ctx: Context, timer: Timer) -> None:
            told.append("timer")

    told: list[str] = []
    r = rig(strategy=Both())
    r.bar(1)
    r.engine.run_timers(HOUR)

    assert told == ["bar", "timer"]


def test_every_timeframe_of_one_step_is_told_shortest_first() -> None:
    feed, told = Feed(BTC, 0, FIVE, 10), []
    for interval in (4 * HOUR, HOUR, None):
        length = interval or FIVE
        feed.series(interval).listen(0, lambda got, length=length: told.append(length))
    for n in range(1, 49):
        told.clear()
        feed.on_bar(row(Candle(n * FIVE, 1, 1, 1, 1, 1, 1)))

    assert told == [FIVE, HOUR, 4 * HOUR]


@given(
    st.integers(1, 7), st.lists(st.integers(1, 8) | st.none(), max_size=60)
)  # a number looks back, None adds a bar
@settings(max_examples=300)
def test_the_window_is_the_tail_of_all_bars(capacity: int, moves: list[int | None]) -> None:
    series, kept = Series(BTC, 0, MINUTE, capacity), []
    for number, n in enumerate(moves, 1):
        if n is None:
            bar = Candle(number, number + 1, number + 4, number, number + 2, 10 * number, 1)
            kept.append(bar)
            series.push(row(bar))
        elif n > capacity:
            with pytest.raises(DomainError, match=rf"bars\({n}\) is outside 1\.\.{capacity}: raise .* `history`"):
                series.window(n)
        else:
            window, tail = series.window(n), kept[-n:]
            assert len(window) == len(tail)
            assert window.ts.tolist() == [bar.ts for bar in tail]
            assert window.close_ticks.tolist() == [bar.close for bar in tail]
            for name in ("open", "high", "low", "close"):
                assert np.allclose(getattr(window, name), [getattr(bar, name) * 0.01 for bar in tail], rtol=1e-15)
            assert np.allclose(window.volume, [bar.volume / 1000 for bar in tail], rtol=1e-15)
    assert series.seen == len(kept)


def test_a_window_stays_as_it_was_when_more_bars_come() -> None:
    series = Series(BTC, 0, MINUTE, 3)
    series.push(row(Candle(1, 1, 1, 1, 1, 1, 1)))
    window = series.window(3)
    for ts in range(2, 20):
        series.push(row(Candle(ts, ts, ts, ts, ts, 1, 1)))

    assert window.close_ticks.tolist() == [1]


@pytest.mark.parametrize("n", [0, -1])
def test_a_window_of_no_bars_is_refused(n: int) -> None:
    with pytest.raises(DomainError, match="outside"):
        Series(BTC, 0, MINUTE, 3).window(n)


def test_listeners_are_told_once_their_warm_up_is_over_and_after_the_indicators() -> None:
    series, told = Series(BTC, 0, MINUTE, 3), []
    average = series.indicator("sma", 2)
    series.listen(3, lambda got: told.append(("three", got[0], average.num)))
    series.listen(0, lambda got: told.append(("none", got[0], average.num)))
    for ts in (1, 2, 3):
        series.push(row(Candle(ts, 1, 1, 1, ts, 1, 1)))

    assert [each for each in told if each[0] == "three"] == [("three", 3, 5)]
    assert [each[1] for each in told if each[0] == "none"] == [1, 2, 3]


def test_equal_indicators_share_one_state() -> None:
    series = Series(BTC, 0, MINUTE, 3)

    assert series.indicator("sma", 2) is series.indicator("sma", 2)
    assert series.indicator("sma", 2) is not series.indicator("sma", 3)
    assert series.has_indicators


@pytest.mark.parametrize(
    ("text", "ns"), [("30s", 30 * 10**9), ("5m", FIVE), ("4h", 4 * HOUR), ("1d", 24 * HOUR), ("10000s", 10**13)]
)
def test_a_period_is_a_whole_number_and_a_unit(text: str, ns: int) -> None:
    assert parse_interval(text) == ns


@pytest.mark.parametrize(
    "text",
    ["", "m", "5", "0m", "-5m", "5M", "1.5h", "5 m", " 5m", "5m\n", "٥m", "10001m", "9" * 5000 + "m", "1w", None, 5],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(DomainError, match="is no period: write a whole number and s, m, h or d"):
        parse_interval(text)


def test_a_timeframe_must_be_a_multiple_of_the_historys_bars() -> None:
    feed = Feed(BTC, 0, FIVE, 10)

    assert feed.series(FIVE) is feed.series(None)
    with pytest.raises(DomainError, match="no multiple"):
        feed.series(7 * MINUTE)
    with pytest.raises(DomainError, match="no multiple"):
        feed.series(MINUTE)


def test_ticks_have_no_bars_of_their_own() -> None:
    with pytest.raises(DomainError, match="has ticks, no bars: name a timeframe"):
        Feed(BTC, 0, 0, 10).series(None)


def test_a_timeframe_asked_for_after_the_start_is_refused() -> None:
    feed = Feed(BTC, 0, FIVE, 10)
    feed.handlers()

    with pytest.raises(DomainError, match="after the start"):
        feed.series(HOUR)


def test_a_strategy_reads_the_bars_of_its_own_timeframe() -> None:
    class Hours(Strategy):
        timeframes = ("3m",)

        def on_bar(self, ctx: Context, bar: object) -> None:
            if bar.interval_ns == 3 * MINUTE:  # type: ignore[attr-defined]  # a Bar
                seen.append((ctx.bars(2, timeframe="3m").close_ticks.tolist(), bar.open))  # type: ignore[attr-defined]  # a Bar

    seen: list[tuple[list[int], Decimal]] = []
    r = rig(strategy=Hours())
    for close in range(1, 8):
        r.bar(close)

    assert seen == [([3], Decimal("0.01")), ([3, 6], Decimal("0.04"))]
