"""Incremental indicators against TA-Lib's C library and against their definitions (R-50)."""

from __future__ import annotations

import csv
import gzip
import math
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from bot4_core.domain.event import Bar, Kind
from bot4_core.engine.indicators import KINDS, IndicatorState, Row
from bot4_core.errors import DomainError
from bot4_core.strategy import Context, Indicator, Strategy

from .reference.averages import crossings, sma, variance
from .rig import BTC, ETH, Rig, rig

Bars = list[tuple[int, int, int]]
Floats = npt.NDArray[np.float64]


def rows(bars: Bars) -> list[Row]:
    return [(n, 0, int(Kind.BAR), 0, close, high, low, close, 1, 1) for n, (high, low, close) in enumerate(bars)]


def random_bars(seed: int, count: int = 400) -> Bars:
    """A random walk in ticks with flat stretches and jumps."""
    rng, close, bars = random.Random(seed), 50_000, []
    for _ in range(count):
        move = rng.choice([0, 0, rng.randint(-50, 50), rng.randint(-3_000, 3_000)])
        opened, close = close, max(100, close + move)
        bars.append((max(opened, close) + rng.randint(0, 40), min(opened, close) - rng.randint(0, 40), close))
    return bars


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> Bars:
    """Two weeks of DOGE at a tick of 0.00001, with its long runs of equal closes."""
    path = shared_data / "candles" / "binance_spot_dogeusdt_5m_2022-08_2023-02.csv.gz"
    with gzip.open(path, "rt", encoding="ascii") as text:
        lines = [line for line, _ in zip(csv.DictReader(text), range(4_000), strict=False)]
    return [tuple(round(float(line[name]) * 100_000) for name in ("high", "low", "close")) for line in lines]  # type: ignore[misc]  # three each


def values(name: str, length: int, bars: Bars) -> Floats:
    """What the incremental state says after each bar, NaN before it is ready."""
    state: IndicatorState = KINDS[name][0](length)
    found = []
    for row in rows(bars):
        state.update(row)
        found.append(state.num / state.den if state.den else math.nan)
    return np.array(found)


def columns(bars: Bars) -> tuple[Floats, Floats, Floats]:
    high, low, close = (np.array(column, np.float64) for column in zip(*bars, strict=True))
    return high, low, close


#: name -> TA-Lib's answer; the deviation does not depend on where zero lies, and TA-Lib loses digits far from it
TALIB: dict[str, Callable[[Floats, Floats, Floats, int], Floats]] = {
    "sma": lambda high, low, close, n: talib.SMA(close, n),
    "ema": lambda high, low, close, n: talib.EMA(close, n),
    "rsi": lambda high, low, close, n: talib.RSI(close, n),
    "atr": lambda high, low, close, n: talib.ATR(high, low, close, n),
    "highest": lambda high, low, close, n: talib.MAX(high, n),
    "lowest": lambda high, low, close, n: talib.MIN(low, n),
    "stdev": lambda high, low, close, n: talib.STDDEV(close - np.median(close), n, 1.0),
}


def test_every_indicator_is_compared() -> None:
    assert set(TALIB) == set(KINDS)


def compare(name: str, length: int, bars: Bars) -> None:
    ours, theirs = values(name, length, bars), TALIB[name](*columns(bars), length)

    assert np.array_equal(np.isnan(ours), np.isnan(theirs)), "ready on another bar"
    assert int(np.isnan(ours).sum()) == length + KINDS[name][1] - 1
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-6 if name == "stdev" else 0)


@pytest.mark.parametrize("length", [2, 3, 14, 50])
@pytest.mark.parametrize("name", TALIB)
def test_it_equals_ta_lib_on_random_walks(name: str, length: int) -> None:
    for seed in range(5):
        compare(name, length, random_bars(seed))


@pytest.mark.parametrize("length", [2, 14, 200])
@pytest.mark.parametrize("name", TALIB)
def test_it_equals_ta_lib_on_recorded_candles(name: str, length: int, recorded: Bars) -> None:
    compare(name, length, recorded)


@pytest.mark.parametrize("name", TALIB)
def test_it_equals_ta_lib_when_nothing_moves(name: str) -> None:
    compare(name, 5, [(100, 100, 100)] * 40)


closes = st.lists(st.integers(1, 10**9), min_size=1, max_size=60)


@given(closes, st.integers(1, 12))
@settings(max_examples=200)
def test_the_simple_average_is_an_exact_ratio_of_whole_ticks(ticks: list[int], length: int) -> None:
    state = KINDS["sma"][0](length)
    for row, meant in zip(rows([(c, c, c) for c in ticks]), sma(ticks, length), strict=True):
        state.update(row)
        assert (Fraction(state.num, state.den) if state.den else None) == meant  # type: ignore[arg-type]  # whole numbers


@given(closes, st.integers(1, 12))
@settings(max_examples=200)
def test_the_deviation_is_the_root_of_the_exact_variance_at_any_height(ticks: list[int], length: int) -> None:
    state = KINDS["stdev"][0](length)
    for row, meant in zip(rows([(c, c, c) for c in ticks]), variance(ticks, length), strict=True):
        state.update(row)
        assert bool(state.den) is (meant is not None)
        if meant is not None:
            assert math.isclose(state.num, math.sqrt(meant), rel_tol=1e-12)


@given(closes, st.integers(1, 12))
@settings(max_examples=200)
def test_extremes_are_those_of_the_last_bars(ticks: list[int], length: int) -> None:
    high, low = KINDS["highest"][0](length), KINDS["lowest"][0](length)
    for n, row in enumerate(rows([(c + 1, c - 1, c) for c in ticks]), 1):
        high.update(row)
        low.update(row)
        part = ticks[max(0, n - length) : n]
        assert bool(high.den) is (n >= length)
        if n >= length:
            assert (high.num, low.num) == (max(part) + 1, min(part) - 1)


class Watcher(Strategy):
    """Notes what two averages say at each bar."""

    def on_start(self, ctx: Context) -> None:
        self.fast, self.slow = ctx.sma(2), ctx.sma(5)
        self.seen: list[tuple[bool, bool, bool, bool]] = []

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        fast, slow = self.fast, self.slow
        self.seen.append((fast.crossed_above(slow), fast.crossed_below(slow), fast.above(slow), fast.below(slow)))


@given(st.lists(st.integers(1, 6), min_size=6, max_size=60))
@settings(max_examples=200)
def test_crosses_are_those_of_the_exact_averages_and_touching_is_none(ticks: list[int]) -> None:
    watcher = Watcher()
    r = rig(strategy=watcher, guarded=False)
    for close in ticks:
        r.bar(close)
    fast, slow = sma(ticks, 2), sma(ticks, 5)

    # the strategy is woken from the fifth bar on, when both are ready
    assert len(watcher.seen) == len(ticks) - 4
    for (above, below, over, under), meant, a, b in zip(
        watcher.seen, crossings(fast, slow)[4:], fast[4:], slow[4:], strict=True
    ):
        assert (above, below) == (meant == 1, meant == -1)
        assert a is not None
        assert b is not None
        assert (over, under) == (a > b, a < b)


def two_markets() -> tuple[Rig, Indicator]:
    r = rig(BTC, ETH)
    average = r.ctx.sma(2)
    for close in (100, 200):
        r.bars(close, close * 3)
    return r, average


def test_an_indicator_follows_the_instrument_being_delivered_and_of_names_one() -> None:
    r, average = two_markets()

    r.ctx.focus.index = 0
    assert average.value == pytest.approx(1.5)
    r.ctx.focus.index = 1
    assert average.value == pytest.approx(4.5)
    assert average.of(BTC).value == pytest.approx(1.5)
    assert average.of(BTC).ready


def test_indicators_of_two_instruments_compare_their_prices_and_not_their_ticks() -> None:
    fine = type(BTC)(symbol="XRP/USDT", tick="0.0001", lot="1")
    r = rig(BTC, fine)
    average = r.ctx.sma(1)
    r.bars(300, 20_000)  # 3.00 and 2.0000
    r.bars(100, 15_000)  # 1.00 and 1.5000

    assert average.of(BTC).below(average.of(fine))
    assert average.of(BTC).crossed_below(average.of(fine))
    assert average.of(fine).crossed_above(average.of(BTC))
    assert not average.of(BTC).above(average.of(fine))


def test_an_indicator_of_a_stranger_is_refused() -> None:
    r, average = two_markets()

    with pytest.raises(DomainError, match=r"SOL/USDT is not in this strategy's trade list"):
        average.of(type(BTC)(symbol="SOL/USDT", tick="1", lot="1"))
    with pytest.raises(DomainError, match="compared with another one made by ctx, not with 5"):
        r.ctx.sma(2).above(5)  # type: ignore[arg-type]  # the point of the test


def test_before_it_is_ready_a_value_is_nan_and_no_comparison_holds() -> None:
    r = rig()
    fast, slow = r.ctx.sma(1), r.ctx.sma(3)
    r.bar(100)

    assert not slow.ready
    assert math.isnan(slow.value)
    assert not any((fast.above(slow), fast.below(slow), fast.crossed_above(slow), fast.crossed_below(slow)))


@pytest.mark.parametrize("length", [0, -1, 100_001, True, 2.0, "5", None])
def test_a_length_that_cannot_be_is_refused(length: object) -> None:
    with pytest.raises(DomainError, match="the length must be a whole number from 1 to 100000"):
        rig().ctx.ema(length)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(("name", "needed"), [("sma", 20), ("ema", 20), ("rsi", 21), ("atr", 21), ("highest", 20)])
def test_a_strategy_is_first_woken_when_its_slowest_indicator_is_ready(name: str, needed: int) -> None:
    class Waits(Strategy):
        def on_start(self, ctx: Context) -> None:
            self.indicator: Indicator = getattr(ctx, name)(20)

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            assert self.indicator.ready
            woken.append(bar.close_ticks)

    woken: list[int] = []
    r = rig(strategy=Waits())
    for n in range(1, 31):
        r.bar(n)

    assert woken == list(range(needed, 31))
