"""A window of a history delivers what the whole run delivers in it, and its curve begins where it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot4_core.domain.event import Bar, Trade
from bot4_core.strategy import Context, Strategy
from bot4_core.testing import bars_from_closes

from .driven import HOUR, MINUTE, START, Driven, Market, drive, trades

#: (bar's close, its length, its volume, the hourly average) in the order of delivery
Seen = list[tuple[int, int, int, float]]


class Hours(Strategy):
    """Notes every hour with an average of three of them."""

    timeframes = ("1h",)

    def on_start(self, ctx: Context) -> None:
        self.average = ctx.sma(3, "1h")

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if bar.interval_ns == HOUR:
            noted.append((bar.ts, bar.interval_ns, bar.volume_units, self.average.value))


noted: Seen = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    noted.clear()


def minutes(count: int, first: int = 0) -> Market:
    """So many minutes of bars that rise by one each, without the first few."""
    instrument, events = bars_from_closes(range(100, 100 + count), volume=1)
    return instrument, events[first:], MINUTE


def hours(folder: Path, name: str, *markets: Market, from_ns: int | None = None, kind: type[Strategy] = Hours) -> Seen:
    noted.clear()
    (folder / name).mkdir()
    assert drive(folder / name, kind, *markets, from_ns=from_ns).error is None
    return list(noted)


@pytest.mark.parametrize("begin", [150, 181, 240, 241])
def test_a_window_delivers_the_hours_of_the_whole_run_with_their_averages(tmp_path: Path, begin: int) -> None:
    from_ns = START + begin * MINUTE
    whole = hours(tmp_path, "whole", minutes(480))
    window = hours(tmp_path, "window", minutes(480), from_ns=from_ns)

    assert len(window) > 3
    # equal averages are ready ones: NaN is not equal to itself
    assert window == [each for each in whole if each[0] >= from_ns]


class TradedHours(Hours):
    """The same from a history of trades."""


def test_a_window_of_ticks_warms_up_as_well(tmp_path: Path) -> None:
    market = trades(
        minutes(1)[0], [START + k * MINUTE // 2 + 7 for k in range(960)], [10_000 + k % 77 for k in range(960)]
    )
    from_ns = START + 270 * MINUTE
    whole = hours(tmp_path, "whole", market, kind=TradedHours)
    window = hours(tmp_path, "window", market, from_ns=from_ns, kind=TradedHours)

    assert len(whole) == 6, "the first hour had begun, and the last one has no end"
    assert window == [each for each in whole if each[0] >= from_ns]
    assert len(window) == 3


def test_a_history_that_begins_within_an_hour_leaves_that_hour_out(tmp_path: Path) -> None:
    assert [(each[0] - START) // HOUR for each in hours(tmp_path, "odd", minutes(300, first=20))] == [2, 3, 4, 5]


class Warm(Strategy):
    """Wants three hours before its first one."""

    timeframes = ("1h",)
    warmup: int = 3

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if bar.interval_ns == HOUR:
            noted.append((bar.ts, len(ctx.bars(10, timeframe="1h")), 0, 0.0))


def test_warm_up_counts_on_timeframes_too(tmp_path: Path) -> None:
    window = hours(tmp_path, "window", minutes(600), from_ns=START + 5 * HOUR, kind=Warm)

    assert [(ts - START) // HOUR for ts, *_ in window] == [5, 6, 7, 8, 9, 10]
    assert window[0][1] >= 3


class Holds(Strategy):
    """Buys at its first bar; its average asks for a long warm-up."""

    def on_start(self, ctx: Context) -> None:
        self.average = ctx.sma(60)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if not ctx.position(bar.instrument).lots:
            ctx.buy(bar.instrument, fraction="0.01")


def curve(folder: Path, from_ns: int | None) -> Driven:
    return drive(folder, Holds, minutes(200), from_ns=from_ns)


def test_the_equity_curve_begins_with_the_window_and_time_never_goes_back(tmp_path: Path) -> None:
    from_ns = START + 100 * MINUTE
    equity = curve(tmp_path, from_ns).record.equity

    assert equity.ts[0] == from_ns
    assert np.all(np.diff(equity.ts) > 0)
    assert equity.ts[-1] == START + 200 * MINUTE
    assert len(equity.ts) == 101


def test_buy_and_hold_buys_at_the_windows_first_price(tmp_path: Path) -> None:
    equity = curve(tmp_path, START + 100 * MINUTE).record.equity

    # closes rise by one a minute: 199 at the window's first moment, 299 at the end
    assert equity.buy_hold[0] == 100_000 * 10**8
    assert equity.buy_hold[1] == round(100_000 * 10**8 * 200 / 199)
    assert equity.buy_hold[-1] == round(100_000 * 10**8 * 299 / 199)


class Looks(Strategy):
    """Reads bars at every trade and never asks to be told of them."""

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        noted.append((trade.ts, len(ctx.bars(50)), 0, 0.0))


def test_bars_have_no_holes_for_a_strategy_that_only_hears_of_trades(tmp_path: Path) -> None:
    bars = minutes(20)
    prints = trades(bars[0], [START + k * MINUTE // 3 + 7 for k in range(60)], [10_000 + k for k in range(60)])
    assert drive(tmp_path, Looks, bars, prints).error is None

    assert [count for _, count, *_ in noted] == [(ts - START) // MINUTE for ts, *_ in noted]


def test_without_history_bars_are_refused_and_not_followed(tmp_path: Path) -> None:
    bars = minutes(20)
    prints = trades(bars[0], [START + 7 * MINUTE], [10_000])

    assert "no bars are kept for this strategy: its `history` is 0" in str(
        drive(tmp_path, Looks, bars, prints, history=0).error
    )
